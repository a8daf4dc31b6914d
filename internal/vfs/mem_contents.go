package vfs

import (
	"bytes"
	"slices"
)

// contents is what a file holds now, and what it holds for certain after a power loss.
type contents struct {
	data     []byte
	frozen   int    // keptData or a clone shares data[:frozen]: copied before it is changed
	keptData []byte // as of the last sync; never changed in place
	edits    []edit // since then, oldest first
	broken   bool   // a failed sync has lost edits: data is more than keptData and edits
}

// edit is one write of p at off, or without p a change of the size.
type edit struct {
	off  int
	p    []byte
	size int // of the file afterwards
}

func (c *contents) write(p []byte, off int) {
	if off > len(c.data) {
		c.resize(off)
	}
	c.own(off)
	if end := off + len(p); end > len(c.data) {
		c.grow(end)
	}
	copy(c.data[off:], p)
	c.edits = append(c.edits, edit{off, bytes.Clone(p), len(c.data)})
}

func (c *contents) resize(size int) {
	if old := len(c.data); size > old {
		c.own(old)
		c.grow(size)
		clear(c.data[old:])
	} else {
		c.data = c.data[:size]
	}
	c.edits = append(c.edits, edit{size: size})
}

// own makes data[from:], and what lies between its end and its capacity, ours to change.
func (c *contents) own(from int) {
	if from < c.frozen {
		c.data, c.frozen = bytes.Clone(c.data), 0
	}
}

// grow lengthens data; the new part may show bytes from before a truncation.
func (c *contents) grow(size int) {
	if size > cap(c.data) {
		c.frozen = 0 // of the new array
	}
	c.data = slices.Grow(c.data, size-len(c.data))[:size]
}

func (c *contents) sync() {
	if c.broken {
		c.keptData = replay(c.keptData, c.edits, len(c.data))
	} else {
		c.keptData = slices.Clip(c.data)
		c.frozen = max(c.frozen, len(c.data))
	}
	c.edits = nil
}

// failSync does what Linux does when a sync fails: the bytes are lost for the disk, a read
// still shows them, and the next sync succeeds without them.
func (c *contents) failSync() {
	c.broken = c.broken || len(c.edits) > 0
	c.edits = nil
}

// replay returns a new slice with the edits made to base.
func replay(base []byte, edits []edit, size int) []byte {
	c := contents{data: bytes.Clone(base)}
	for _, e := range edits {
		if e.p == nil {
			c.resize(e.size)
		} else {
			c.write(e.p, e.off)
		}
	}
	c.resize(size)
	return c.data
}
