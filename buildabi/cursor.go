package buildabi

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// cursor reads the parts of a message whose places depend on the lengths of those before.
type cursor struct {
	message string
	b       []byte
	at      int
}

// text reads a string that a NUL ends.
func (c *cursor) text(field string) (string, error) {
	n := bytes.IndexByte(c.b[c.at:], 0)
	if n < 0 {
		return "", refuse(c.message, field, c.at, "has no end")
	}
	s := string(c.b[c.at : c.at+n])
	c.at += n + 1
	return s, nil
}

// need makes sure that n more bytes are there.
func (c *cursor) need(field string, n int) error {
	if len(c.b)-c.at < n {
		return refuse(c.message, field, c.at, "%d bytes needed, %d left", n, len(c.b)-c.at)
	}
	return nil
}

// uint32 and uint64 read a number that is there.
func (c *cursor) uint32() uint32 {
	c.at += 4
	return binary.LittleEndian.Uint32(c.b[c.at-4:])
}

func (c *cursor) uint64() uint64 {
	c.at += 8
	return binary.LittleEndian.Uint64(c.b[c.at-8:])
}

// needNoNUL refuses a string that would end early.
func needNoNUL(message, field string, at int, s string) error {
	if i := strings.IndexByte(s, 0); i >= 0 {
		return refuse(message, field, at+i, "a NUL inside the string")
	}
	return nil
}
