package cache

import (
	"encoding/binary"
	"io/fs"

	"github.com/larderbuild/larder/internal/vfs"
)

// fact is what is known of a payload file: its content and the file that holds it.
//
//	 0  digest [32]   40  xxhash64 u64   56  mtime ns i64
//	32  size u64      48  inode u64
type fact struct {
	digest Digest
	size   int64
	xxh    uint64
	inode  uint64
	mtime  int64
}

const factBytes = 64

func appendFact(b []byte, f *fact) []byte {
	le := binary.LittleEndian
	b = append(b, f.digest[:]...)
	b = le.AppendUint64(b, uint64(f.size))
	b = le.AppendUint64(b, f.xxh)
	b = le.AppendUint64(b, f.inode)
	return le.AppendUint64(b, uint64(f.mtime))
}

// parseFact decodes the factBytes that b starts with.
func parseFact(b []byte) (f fact) {
	le := binary.LittleEndian
	copy(f.digest[:], b)
	f.size = int64(le.Uint64(b[32:]))
	f.xxh = le.Uint64(b[40:])
	f.inode = le.Uint64(b[48:])
	f.mtime = int64(le.Uint64(b[56:]))
	return f
}

// identify notes which file holds the payload now.
func (f *fact) identify(fi fs.FileInfo) {
	f.inode = vfs.IDOf(fi).Inode
	f.mtime = fi.ModTime().UnixNano()
}

// holds reports whether fi is the untouched file that the fact was written for.
func (f *fact) holds(fi fs.FileInfo) bool {
	return fi.Mode().IsRegular() && fi.Size() == f.size && fi.ModTime().UnixNano() == f.mtime &&
		vfs.IDOf(fi).Inode == f.inode
}

// payload is a payload record: one for each digest that has a file. In the index it is a version
// byte, flags, references u32, last verified s u32, the fact, and the checksum that ends every
// value.
type payload struct {
	fact
	refs     uint32
	verified uint32 // Unix seconds
	linked   bool   // hard links to the file were handed out: hash it at every hand-out
}

const (
	payloadVersion = 1
	payloadBytes   = 10 + factBytes
	payloadLinked  = 1
)

func appendPayload(b []byte, indexKey []byte, p *payload) []byte {
	start := len(b)
	var flags byte
	if p.linked {
		flags = payloadLinked
	}
	b = append(b, payloadVersion, flags)
	b = binary.LittleEndian.AppendUint32(b, p.refs)
	b = binary.LittleEndian.AppendUint32(b, p.verified)
	b = appendFact(b, &p.fact)
	return binary.LittleEndian.AppendUint64(b, sum(indexKey, b[start:]))
}

func parsePayload(indexKey, value []byte, p *payload) error {
	b, err := verified(indexKey, value)
	if err != nil {
		return err
	}
	if len(b) != payloadBytes || b[0] != payloadVersion || b[1]&^payloadLinked != 0 {
		return errRecord
	}
	*p = payload{
		fact:     parseFact(b[10:]),
		refs:     binary.LittleEndian.Uint32(b[2:]),
		verified: binary.LittleEndian.Uint32(b[6:]),
		linked:   b[1]&payloadLinked != 0,
	}
	return nil
}
