package vfs

import (
	"math/rand/v2"
	"slices"
)

// crashBlock is what a disk writes whole or not at all; larger writes can be torn.
const crashBlock = 512

// share returns contents that are the same and can be changed without changing c.
func (c *contents) share() contents {
	c.frozen = max(c.frozen, len(c.data))
	to := *c
	to.data, to.edits = slices.Clip(c.data), slices.Clip(c.edits)
	return to
}

// durable returns the contents of a file that was just synced.
func durable(data []byte) contents {
	return contents{data: slices.Clip(data), frozen: len(data), keptData: slices.Clip(data)}
}

// bytes returns what a power loss leaves of a file.
func (c *cloner) bytes(f *contents) []byte {
	switch {
	case c.Bytes == Lost || len(f.edits) == 0:
		return f.keptData
	case c.Bytes == Kept:
		if f.broken {
			return replay(f.keptData, f.edits, f.edits[len(f.edits)-1].size)
		}
		f.frozen = max(f.frozen, len(f.data))
		return f.data
	}
	low, high := f.sizes()
	t := tearing{Rand: c.Rand, data: make([]byte, high), edits: len(f.edits), bias: c.bias}
	copy(t.data, f.keptData)
	t.blocks = make([]block, (high+crashBlock-1)/crashBlock)
	for i := range t.blocks {
		t.blocks[i] = t.draw()
	}
	for i, e := range f.edits {
		t.apply(i, e, len(f.keptData))
	}
	return t.data[:c.size(f, low, high)]
}

// sizes returns the smallest and the largest size since the last sync.
func (c *contents) sizes() (low, high int) {
	low, high = len(c.keptData), len(c.keptData)
	for _, e := range c.edits {
		low, high = min(low, e.size), max(high, e.size)
	}
	return low, high
}

func (c *cloner) size(f *contents, low, high int) int {
	switch c.Rand.IntN(4) {
	case 0:
		return len(f.keptData)
	case 1:
		return f.edits[len(f.edits)-1].size
	case 2:
		return f.edits[c.Rand.IntN(len(f.edits))].size
	}
	return low + c.Rand.IntN(high-low+1)
}

// tearing makes one file's content block by block.
type tearing struct {
	*rand.Rand
	data   []byte
	blocks []block
	edits  int
	bias   float64
}

// block says which edits of one block reached the disk: those before cut, and the first part
// of the one at cut.
type block struct {
	cut   int
	torn  float64 // the part of edit cut that arrived
	stray stray   // what is there in place of a lost edit
}

type stray uint8

const (
	strayNone    stray = iota // what was there before
	strayZeros                // a hole
	strayGarbage              // an allocated block that was never written
)

func (t *tearing) draw() block {
	var b block
	switch p := t.Float64(); {
	case p < t.bias:
		b.cut = t.edits
	case p < t.bias+(1-t.bias)/2:
		b.cut = 0
	default:
		b.cut = t.IntN(t.edits)
		b.torn = t.Float64()
	}
	if b.cut < t.edits {
		b.stray = []stray{strayNone, strayNone, strayZeros, strayGarbage}[t.IntN(4)]
	}
	return b
}

// apply makes edit i to the blocks that have it. synced is the file's durable size.
func (t *tearing) apply(i int, e edit, synced int) {
	from, to := e.off, e.off+len(e.p)
	if e.p == nil {
		from, to = e.size, len(t.data) // a truncation makes zeros of what lay behind
	}
	for from < to {
		b := &t.blocks[from/crashBlock]
		end := min(to, (from/crashBlock+1)*crashBlock)
		part := t.data[from:end]
		if e.p == nil {
			t.cover(b, i, part, make([]byte, len(part)), false)
		} else {
			t.cover(b, i, part, e.p[from-e.off:end-e.off], from >= synced)
		}
		from = end
	}
}

// cover makes edit i to one part of block b. fresh says that no durable byte is at stake.
func (t *tearing) cover(b *block, i int, part, p []byte, fresh bool) {
	switch {
	case i < b.cut:
		copy(part, p)
		return
	case i == b.cut:
		n := int(float64(len(p)) * b.torn)
		copy(part, p[:n])
		part = part[n:]
	}
	switch {
	case b.stray == strayZeros:
		clear(part)
	case b.stray == strayGarbage && fresh:
		for j := range part {
			part[j] = byte(t.Uint32())
		}
	}
}
