package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The engine's list of tables: a header, then records of a length, a CRC and a set of changes.
const (
	manifestName   = "MANIFEST"
	manifestHeader = "Bdgr\x00\x00\x00\x08" // magic text, the host's magic, format version
	maxLevels      = 7                      // the engine would index past its levels
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// manifest is what the file says: the level of each table, and how many bytes of the file are whole records.
type manifest struct {
	tables map[uint64]int
	whole  int
}

// parseManifest reads the list as the engine will, but refuses what the engine never writes. A record cut
// short at the end is left out of whole; it is what an interrupted append leaves.
func parseManifest(b []byte) (manifest, error) {
	m := manifest{tables: map[uint64]int{}}
	if !bytes.HasPrefix(b, []byte(manifestHeader)) {
		return m, fmt.Errorf("%s: bad header", manifestName)
	}
	m.whole = len(manifestHeader)
	for {
		rest := b[m.whole:]
		if len(rest) < 8 {
			return m, nil
		}
		size := uint64(binary.BigEndian.Uint32(rest))
		if size > uint64(len(b)) {
			return m, fmt.Errorf("%s: record at %d is longer than the file", manifestName, m.whole)
		}
		if size > uint64(len(rest)-8) {
			return m, nil
		}
		set := rest[8 : 8+size]
		if crc32.Checksum(set, castagnoli) != binary.BigEndian.Uint32(rest[4:]) {
			return m, fmt.Errorf("%s: record at %d: checksum mismatch", manifestName, m.whole)
		}
		if err := m.change(set); err != nil {
			return m, fmt.Errorf("%s: record at %d: %w", manifestName, m.whole, err)
		}
		m.whole += 8 + int(size)
	}
}

// change applies one set of changes.
func (m *manifest) change(set []byte) error {
	for len(set) > 0 {
		f, rest, ok := nextField(set)
		if !ok || f.number != 1 || f.bytes == nil {
			return fmt.Errorf("bad change set")
		}
		set = rest
		var c tableChange
		if !c.parse(f.bytes) {
			return fmt.Errorf("bad change")
		}
		_, known := m.tables[c.id]
		switch {
		case c.deletes && known:
			delete(m.tables, c.id)
		case !c.deletes && !known && c.plain && c.level < maxLevels:
			m.tables[c.id] = int(c.level)
		default:
			return fmt.Errorf("impossible change of table %d", c.id)
		}
	}
	return nil
}

// tableChange says that a table came or went.
type tableChange struct {
	id, level uint64
	deletes   bool
	plain     bool // neither encrypted nor compressed
}

func (c *tableChange) parse(b []byte) bool {
	c.plain = true
	for len(b) > 0 {
		f, rest, ok := nextField(b)
		if !ok || f.bytes != nil {
			return false
		}
		b = rest
		switch f.number {
		case 1:
			c.id = f.value
		case 2:
			c.deletes = f.value == 1
			ok = f.value <= 1
		case 3:
			c.level = f.value
		case 4, 6: // key id, compression
			c.plain = c.plain && f.value == 0
		}
		if !ok {
			return false
		}
	}
	return true
}

// field is one field of a protocol-buffer message: a number in value, or bytes.
type field struct {
	number int
	value  uint64
	bytes  []byte
}

// nextField reads the two wire types that the engine uses, varint and bytes.
func nextField(b []byte) (f field, rest []byte, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return f, nil, false
	}
	b = b[n:]
	f.number = int(tag >> 3)
	f.value, n = binary.Uvarint(b)
	if n <= 0 {
		return f, nil, false
	}
	b = b[n:]
	switch tag & 7 {
	case 0:
		return f, b, true
	case 2:
		if f.value > uint64(len(b)) {
			return f, nil, false
		}
		f.bytes = b[:f.value:f.value]
		return f, b[f.value:], true
	}
	return f, nil, false
}
