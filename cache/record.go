package cache

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/framelog"
)

// An artifact record is what the index holds for a key: a fixed part, the name of a lone output
// when it is short, and a checksum over the index key and all before it, at most 128 bytes. All
// numbers are little endian.
//
//	 0  version, 1          36  blocks u32          76  digest [32]
//	 1  flags               40  outputs u32        108  name, 0 to 12 bytes
//	 2  name length         44  mode u32             .  xxhash64 of key and record
//	 3  exit code, high i8  48  size or xxhash64 u64
//	 4  exit code, low u32  56  content u64
//	 8  cost ns i64         64  log position: segment u64,
//	16  created ns i64      72  offset u32
//	24  last use s u32
//	28  uses u32
//	32  frame length u32
//
// With a table, content is its length and size the bytes of all outputs. A lone output has its own
// length as content and its xxhash64 where a table has size.
const (
	recordVersion  = 1
	recordFixed    = 108
	recordMaxName  = 12
	recordMaxBytes = recordFixed + recordMaxName + 8
)

// Systems have exit codes of 32 bits, signed or not.
const (
	minExitCode = -1 << 31
	maxExitCode = 1<<32 - 1
)

// Flags of a record.
const (
	// flagTable: digest and content describe the output table, not a lone output.
	flagTable = 1 << iota
	// flagInline: the content stands at the end of the log frame, not in a payload file.
	flagInline
)

// record is a decoded artifact record.
type record struct {
	flags    uint8
	exitCode int64 // 40 bits
	cost     time.Duration
	created  int64 // Unix ns
	lastUse  uint32
	uses     uint32
	frameLen uint32 // body length of the log frame at pos
	blocks   uint32 // 4 KiB blocks of all outputs, at least one each
	outputs  uint32
	mode     fs.FileMode
	size     int64  // bytes of all outputs
	content  int64  // bytes of the lone output or of the table
	xxh      uint64 // of the lone output
	pos      framelog.Pos
	digest   Digest // of the lone output or of the table
	nameLen  uint8
	name     [recordMaxName]byte
}

var errRecord = errors.New("malformed record")

func (r *record) table() bool  { return r.flags&flagTable != 0 }
func (r *record) inline() bool { return r.flags&flagInline != 0 }

// mayHaveArea reports whether bytes of the artifact may stand in its log frame.
func (r *record) mayHaveArea() bool { return r.flags != 0 }

// sum covers the index key too: a record that a damaged index shows under another key must not
// pass.
func sum(key, value []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.Write(key)
	d.Write(value)
	return d.Sum64()
}

// appendRecord appends r as it stands in the index under indexKey.
func appendRecord(b []byte, indexKey []byte, r *record) []byte {
	start := len(b)
	b = appendRecordBody(b, r)
	return binary.LittleEndian.AppendUint64(b, sum(indexKey, b[start:]))
}

func appendRecordBody(b []byte, r *record) []byte {
	le := binary.LittleEndian
	b = append(b, recordVersion, r.flags, r.nameLen, byte(r.exitCode>>32))
	b = le.AppendUint32(b, uint32(r.exitCode))
	b = le.AppendUint64(b, uint64(r.cost))
	b = le.AppendUint64(b, uint64(r.created))
	b = le.AppendUint32(b, r.lastUse)
	b = le.AppendUint32(b, r.uses)
	b = le.AppendUint32(b, r.frameLen)
	b = le.AppendUint32(b, r.blocks)
	b = le.AppendUint32(b, r.outputs)
	b = le.AppendUint32(b, uint32(r.mode))
	if r.table() {
		b = le.AppendUint64(b, uint64(r.size))
	} else {
		b = le.AppendUint64(b, r.xxh)
	}
	b = le.AppendUint64(b, uint64(r.content))
	b = le.AppendUint64(b, r.pos.Segment)
	b = le.AppendUint32(b, r.pos.Offset)
	b = append(b, r.digest[:]...)
	return append(b, r.name[:r.nameLen]...)
}

// parseRecord verifies and decodes an index value.
func parseRecord(indexKey, value []byte, r *record) error {
	body, err := verified(indexKey, value)
	if err != nil {
		return err
	}
	rest, err := parseRecordBody(body, r)
	if err == nil && len(rest) != 0 {
		return errRecord
	}
	return err
}

// verified strips and checks the checksum that ends every index value.
func verified(indexKey, value []byte) ([]byte, error) {
	n := len(value) - 8
	if n < 0 || binary.LittleEndian.Uint64(value[n:]) != sum(indexKey, value[:n]) {
		return nil, errRecord
	}
	return value[:n], nil
}

// parseRecordBody decodes a record and returns what follows it.
func parseRecordBody(b []byte, r *record) ([]byte, error) {
	if len(b) < recordFixed || b[0] != recordVersion || b[2] > recordMaxName ||
		len(b) < recordFixed+int(b[2]) {
		return nil, errRecord
	}
	le := binary.LittleEndian
	*r = record{
		flags:    b[1],
		nameLen:  b[2],
		exitCode: int64(int8(b[3]))<<32 | int64(le.Uint32(b[4:])),
		cost:     time.Duration(le.Uint64(b[8:])),
		created:  int64(le.Uint64(b[16:])),
		lastUse:  le.Uint32(b[24:]),
		uses:     le.Uint32(b[28:]),
		frameLen: le.Uint32(b[32:]),
		blocks:   le.Uint32(b[36:]),
		outputs:  le.Uint32(b[40:]),
		mode:     fs.FileMode(le.Uint32(b[44:])),
		content:  int64(le.Uint64(b[56:])),
		pos:      framelog.Pos{Segment: le.Uint64(b[64:]), Offset: le.Uint32(b[72:])},
	}
	copy(r.digest[:], b[76:])
	if r.table() {
		r.size = int64(le.Uint64(b[48:]))
	} else {
		r.size, r.xxh = r.content, le.Uint64(b[48:])
	}
	rest := b[recordFixed+int(r.nameLen):]
	copy(r.name[:], b[recordFixed:recordFixed+int(r.nameLen)])
	if r.flags&^(flagTable|flagInline) != 0 || r.content < 0 || r.size < 0 ||
		r.exitCode < minExitCode || r.exitCode > maxExitCode {
		return nil, errRecord
	}
	return rest, nil
}

// maxBlocks stands for itself and everything above: 16 TiB and more.
const maxBlocks = 1<<32 - 1

// blocksOf rounds up to the 4 KiB blocks that a file of size bytes takes, counting one for its
// inode.
func blocksOf(size int64) uint32 {
	return uint32(min(size/4096+min(size%4096, 1)+1, maxBlocks))
}

// unixSeconds is t as records hold times. A clock beside their range gives its nearer end.
func unixSeconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), 1<<32-1))
}
