package framelog

import "encoding/binary"

const (
	chunk  = 1 << 20 // bytes per read
	sector = 4 << 10 // what is passed over when it cannot be read
)

// window is a moving view of a segment's bytes.
type window struct {
	src source
	buf []byte // the bytes at off
	off int64
	mem *[]byte // what buf is in; walkers share it one after the other
}

// at returns n bytes at off, fewer where the segment or what can be read of it ends. They are
// valid until the next call of a method.
func (w *window) at(off int64, n int) ([]byte, error) {
	if b := w.have(off); len(b) >= n {
		return b[:n], nil
	}
	err := w.fill(off, max(n, chunk))
	if err != nil && len(w.buf) < n && n < chunk {
		err = w.fill(off, n) // what is wrong may lie behind
	}
	if len(w.buf) >= n {
		return w.buf[:n], nil
	}
	return w.buf, err
}

// have returns the bytes from off on that are there without a read.
func (w *window) have(off int64) []byte {
	if off < w.off || off > w.off+int64(len(w.buf)) {
		return nil
	}
	return w.buf[off-w.off:]
}

func (w *window) fill(off int64, n int) error {
	n = int(max(0, min(int64(n), w.src.end-off)))
	if cap(*w.mem) < n {
		*w.mem = make([]byte, n)
	}
	n, err := w.src.readAt((*w.mem)[:n], off)
	w.buf, w.off = (*w.mem)[:n], off
	return err
}

// seek returns the first place at or above off, off being a multiple of align, that could be
// the start of a frame, or the end of the segment. It passes over what cannot be read, and
// returns the last error it met doing so.
func (w *window) seek(off int64) (int64, error) {
	var last error
	for off+frameHeader <= w.src.end {
		b, err := w.at(off, frameHeader)
		if len(b) < frameHeader {
			if err == nil {
				break // the file ends early
			}
			last = err
			off = min(w.src.nextPart(off), (off/sector+1)*sector)
			continue
		}
		b = w.have(off)
		for len(b) >= frameHeader {
			if binary.BigEndian.Uint32(b) == frameMagic {
				return off, last
			}
			b, off = b[align:], off+align
		}
	}
	return w.src.end, last
}
