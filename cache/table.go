package cache

import (
	"encoding/binary"
	"io/fs"
)

// An output table lists what an artifact holds when that is more than one output with a short name.
// It starts with a version byte and a count u32; each item is
//
//	kind u8, zero u8, name length u16, target length u16, mode u32, size u64, offset u32,
//	digest [32], xxhash64, name, target
//
// The offset is where the item's bytes start in the inline area of the log frame, or noOffset when
// a payload file of its own holds them.
type item struct {
	kind   itemKind
	mode   fs.FileMode
	size   int64
	offset uint32
	digest Digest
	xxh    uint64
	name   string
	target string
}

type itemKind uint8

const (
	itemFile itemKind = iota
	itemSymlink
	itemStdout
	itemStderr
	itemMetadata
)

const (
	tableVersion = 1
	tableHead    = 5
	itemFixed    = 62
	noOffset     = 1<<32 - 1
)

func (it *item) inline() bool { return it.offset != noOffset }

// isOutput tells an output from what was printed and from metadata, which have no name.
func (it *item) isOutput() bool { return it.kind == itemFile || it.kind == itemSymlink }

func (it *item) output() Output {
	return Output{Name: it.name, Mode: it.mode, Size: it.size, Digest: it.digest, Target: it.target}
}

func appendTable(b []byte, items []item) []byte {
	le := binary.LittleEndian
	b = append(b, tableVersion)
	b = le.AppendUint32(b, uint32(len(items)))
	for i := range items {
		it := &items[i]
		b = append(b, byte(it.kind), 0)
		b = le.AppendUint16(b, uint16(len(it.name)))
		b = le.AppendUint16(b, uint16(len(it.target)))
		b = le.AppendUint32(b, uint32(it.mode))
		b = le.AppendUint64(b, uint64(it.size))
		b = le.AppendUint32(b, it.offset)
		b = append(b, it.digest[:]...)
		b = le.AppendUint64(b, it.xxh)
		b = append(b, it.name...)
		b = append(b, it.target...)
	}
	return b
}

// parseTable decodes a table that fills b. The names share one copy of b.
func parseTable(b []byte) ([]item, error) {
	if len(b) < tableHead || b[0] != tableVersion {
		return nil, errRecord
	}
	n := int64(binary.LittleEndian.Uint32(b[1:]))
	if n*itemFixed > int64(len(b)-tableHead) {
		return nil, errRecord
	}
	text := string(b)
	items := make([]item, n)
	at := tableHead
	for i := range items {
		size, ok := parseItem(b[at:], text[at:], &items[i])
		if !ok {
			return nil, errRecord
		}
		at += size
	}
	if at != len(b) {
		return nil, errRecord
	}
	return items, nil
}

func parseItem(b []byte, text string, it *item) (size int, ok bool) {
	if len(b) < itemFixed {
		return 0, false
	}
	le := binary.LittleEndian
	names := itemFixed + int(le.Uint16(b[2:]))
	size = names + int(le.Uint16(b[4:]))
	if len(b) < size || itemKind(b[0]) > itemMetadata || b[1] != 0 {
		return 0, false
	}
	*it = item{
		kind:   itemKind(b[0]),
		mode:   fs.FileMode(le.Uint32(b[6:])),
		size:   int64(le.Uint64(b[10:])),
		offset: le.Uint32(b[18:]),
		digest: Digest(b[22:54]),
		xxh:    le.Uint64(b[54:]),
		name:   text[itemFixed:names],
		target: text[names:size],
	}
	return size, it.size >= 0 && !(it.inline() && it.size > noOffset)
}
