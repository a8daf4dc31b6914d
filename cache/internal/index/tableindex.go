package index

import (
	"bytes"
	"encoding/binary"
)

// maxBlock is the largest block that is read: the engine fills blocks to a few KiB, and one record is below 1 KiB.
const maxBlock = 64 << 10

// tableIndex is the list of blocks of a table, a FlatBuffers table. Every read of it is bounded, for a table
// with a right checksum may still have been written by something else.
type tableIndex struct {
	b       flat
	offsets uint64 // of the vector of blocks
	blocks  int
}

// block is one entry of the list.
type block struct {
	key          []byte // the first in the block, with its version
	offset, size uint64
}

func parseTableIndex(b []byte) (tableIndex, bool) {
	x := tableIndex{b: b}
	root, ok := x.b.follow(0)
	if !ok {
		return x, false
	}
	blocks, ok := x.b.field(root, 0)
	if !ok {
		return x, false
	}
	if x.offsets, ok = x.b.follow(blocks); !ok {
		return x, false
	}
	n, ok := x.b.uint32(x.offsets)
	if !ok || n == 0 || n > uint64(len(b)/4) {
		return x, false
	}
	x.blocks = int(n)
	return x, true
}

func (x *tableIndex) block(i int) (b block, ok bool) {
	at, ok := x.b.follow(x.offsets + 4 + 4*uint64(i))
	if !ok {
		return b, false
	}
	if b.key, ok = x.b.bytes(at, 0); !ok {
		return b, false
	}
	if f, ok := x.b.field(at, 1); ok { // left out when it is 0
		b.offset, _ = x.b.uint32(f)
	}
	if f, ok := x.b.field(at, 2); ok {
		b.size, _ = x.b.uint32(f)
	}
	return b, b.size > 0 && b.size <= maxBlock && len(b.key) > versionSize
}

// span returns the blocks, from up to but not with to, that may hold keys of r.
func (x *tableIndex) span(r keyRange) (from, to int, ok bool) {
	for to = 0; to < x.blocks; to++ {
		b, ok := x.block(to)
		if !ok {
			return 0, 0, false
		}
		key := b.key[:len(b.key)-versionSize]
		if r.end != nil && bytes.Compare(key, r.end) >= 0 {
			break
		}
		if bytes.Compare(key, r.first) < 0 {
			from = to
		}
	}
	return from, to, true
}

// versionSize is what the engine appends to each key.
const versionSize = 8

// flat reads FlatBuffers: little-endian, offsets relative to where they stand. Every method reports false
// rather than read outside.
type flat []byte

func (f flat) uint32(at uint64) (uint64, bool) {
	if at > uint64(len(f)) || uint64(len(f))-at < 4 {
		return 0, false
	}
	return uint64(binary.LittleEndian.Uint32(f[at:])), true
}

func (f flat) uint16(at uint64) (uint64, bool) {
	if at > uint64(len(f)) || uint64(len(f))-at < 2 {
		return 0, false
	}
	return uint64(binary.LittleEndian.Uint16(f[at:])), true
}

// follow returns where the offset stored at at points to.
func (f flat) follow(at uint64) (uint64, bool) {
	n, ok := f.uint32(at)
	return at + n, ok && at+n < uint64(len(f))
}

// field returns where the n-th field of the table at at stands.
func (f flat) field(at uint64, n int) (uint64, bool) {
	back, ok := f.uint32(at)
	if !ok {
		return 0, false
	}
	vtable := uint64(int64(at) - int64(int32(back)))
	size, ok := f.uint16(vtable)
	slot := uint64(4 + 2*n)
	if !ok || slot+2 > size {
		return 0, false
	}
	offset, ok := f.uint16(vtable + slot)
	return at + offset, ok && offset != 0
}

// bytes returns the n-th field of the table at at, a vector of bytes.
func (f flat) bytes(at uint64, n int) ([]byte, bool) {
	p, ok := f.field(at, n)
	if !ok {
		return nil, false
	}
	if p, ok = f.follow(p); !ok {
		return nil, false
	}
	size, ok := f.uint32(p)
	if !ok || p+4+size > uint64(len(f)) {
		return nil, false
	}
	return f[p+4 : p+4+size], true
}
