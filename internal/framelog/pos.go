package framelog

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
)

// PosSize is the length of an encoded [Pos].
const PosSize = 12

// Pos names a frame: its segment and its offset there. The zero value names none and, for a
// scan, means the beginning. A position stays valid until its segment is removed.
type Pos struct {
	Segment uint64
	Offset  uint32
}

// Compare orders positions as a scan meets them. It returns -1, 0 or 1.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.Segment, q.Segment), cmp.Compare(p.Offset, q.Offset))
}

// IsZero reports whether p names no frame.
func (p Pos) IsZero() bool { return p == Pos{} }

// String returns segment and offset in hex.
func (p Pos) String() string { return fmt.Sprintf("%x+%x", p.Segment, p.Offset) }

// AppendPos appends the [PosSize] bytes of p to b. They sort as [Pos.Compare] does.
func AppendPos(b []byte, p Pos) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Segment)
	return binary.BigEndian.AppendUint32(b, p.Offset)
}

// ParsePos reads a position from the start of b and returns the rest. A short b is
// [io.ErrUnexpectedEOF].
func ParsePos(b []byte) (p Pos, rest []byte, err error) {
	if len(b) < PosSize {
		return Pos{}, nil, io.ErrUnexpectedEOF
	}
	p.Segment = binary.BigEndian.Uint64(b)
	p.Offset = binary.BigEndian.Uint32(b[8:])
	return p, b[PosSize:], nil
}
