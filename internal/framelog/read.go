package framelog

import (
	"errors"
	"io"
	"slices"

	"github.com/larderbuild/larder/internal/vfs"
)

// firstRead is how much ReadFrame asks for before it knows the length of a frame.
const firstRead = 2 << 10

// ReadFrame returns the verified body of the frame at p. It uses the memory of dst, from its
// start, if that is large enough. It fails with a [*Damage] when the frame at p does not hold
// or there is none, and with [ErrNotFound] when the log has no such segment.
func (l *Log) ReadFrame(p Pos, dst []byte) ([]byte, error) {
	var kind uint32
	var body []byte
	err := l.reading(p.Segment, func(src source) (err error) {
		kind, body, err = readFrame(src, int64(p.Offset), dst, l.opt.MaxBody)
		return err
	})
	if err == nil && kind != kindData {
		from := int64(p.Offset)
		err = &Damage{Segment: p.Segment, From: from, To: from + frameHeader, Reason: BadFrame}
	}
	if err != nil {
		return nil, wrap("read frame", p, err)
	}
	return body, nil
}

// ReadBody fills dst from the body of the frame at p, beginning off bytes into it. It
// verifies nothing, not even that there is a frame: it is for a caller that has a checksum of
// that part of the body.
func (l *Log) ReadBody(p Pos, off int, dst []byte) error {
	err := l.reading(p.Segment, func(src source) error {
		from := int64(p.Offset) + frameHeader + int64(off)
		n, err := src.readAt(dst, from)
		if err != nil || n < len(dst) {
			return lost(src, from, from+int64(len(dst)), Truncated, err)
		}
		return nil
	})
	if err != nil {
		return wrap("read body", p, err)
	}
	return nil
}

// Rest gives back the memory that reads have made resident. It is for an owner that expects none
// for a while.
func (l *Log) Rest() { l.handles.rest() }

// reading runs read on the segment. A file may be replaced below a read; then the next try
// finds the new one.
func (l *Log) reading(id uint64, read func(source) error) error {
	for range 8 {
		src, err := l.source(id)
		if err != nil {
			return err
		}
		if err := read(src); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return ErrNotFound
}

// readFrame reads and verifies the frame of any kind at off.
func readFrame(src source, off int64, dst []byte, maxBody int) (kind uint32, body []byte, err error) {
	buf := slices.Grow(dst[:0], firstRead)[:firstRead]
	n, err := src.readAt(buf, off)
	h, ok := src.seed.parseFrameHeader(buf[:n], uint32(off), maxBody)
	if !ok {
		return 0, nil, lost(src, off, off+frameHeader, BadFrame, err)
	}
	have := buf[frameHeader:min(n, frameHeader+h.length)]
	body = buf
	if cap(body) < h.length {
		body = make([]byte, h.length)
	}
	body = body[:h.length]
	n = copy(body, have)
	if n < h.length {
		m, err := src.readAt(body[n:], off+frameHeader+int64(n))
		if n += m; n < h.length {
			return 0, nil, lost(src, off, off+h.size(), Truncated, err)
		}
	}
	if !h.holds(body) {
		return 0, nil, lost(src, off, off+h.size(), BadBody, nil)
	}
	return h.kind, body, nil
}

// lost makes a Damage of a region that was read with err, unless that says nothing of it.
func lost(src source, from, to int64, r Reason, err error) error {
	if vfs.IsUnopened(err) {
		return err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r = Unreadable
	}
	return &Damage{Segment: src.id, From: from, To: to, Reason: r, Err: err}
}
