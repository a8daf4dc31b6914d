package framelog

import "github.com/cespare/xxhash/v2"

// keepBuffer is the most memory that a reset Batch holds on to.
const keepBuffer = 4 << 20

// Batch is a group of frames to append together. The zero value is an empty one; it is not
// safe for concurrent use. It copies and hashes what it is given before the place of the
// frames is known, so appends do not wait for each other's hashing.
type Batch struct {
	buf    []byte // frames as they go to disk, headers blank until their place is known
	frames []batchFrame
	base   Pos // of buf[0], once appended
}

type batchFrame struct {
	at, length int // of the frame's header in buf; bytes of its body
	sum        uint64
}

// Add copies parts, one after the other, as the body of one more frame and returns the
// frame's index.
func (b *Batch) Add(parts ...[]byte) int {
	at := len(b.buf)
	b.buf = append(b.buf, make([]byte, frameHeader)...)
	for _, p := range parts {
		b.buf = append(b.buf, p...)
	}
	body := b.buf[at+frameHeader:]
	b.frames = append(b.frames, batchFrame{at: at, length: len(body), sum: xxhash.Sum64(body)})
	b.buf = append(b.buf, make([]byte, frameSize(len(body))-int64(len(b.buf)-at))...)
	return len(b.frames) - 1
}

// Reset empties b and keeps its memory, up to a few MiB.
func (b *Batch) Reset() {
	if cap(b.buf) > keepBuffer {
		b.buf, b.frames = nil, nil
	}
	b.buf, b.frames, b.base = b.buf[:0], b.frames[:0], Pos{}
}

// Len returns the number of frames.
func (b *Batch) Len() int { return len(b.frames) }

// Pos returns the position of frame i. It is zero until b was appended, and that of the last
// append afterwards.
func (b *Batch) Pos(i int) Pos {
	if b.base.IsZero() {
		return Pos{}
	}
	return Pos{Segment: b.base.Segment, Offset: b.base.Offset + uint32(b.frames[i].at)}
}

// stamp fills the headers in for a group that starts at p.
func (b *Batch) stamp(s seed, p Pos) {
	for _, f := range b.frames {
		s.putFrameHeader(b.buf[f.at:], p.Offset+uint32(f.at), kindData, f.length, f.sum)
	}
}

// longest returns the length of the longest body.
func (b *Batch) longest() int {
	n := 0
	for _, f := range b.frames {
		n = max(n, f.length)
	}
	return n
}
