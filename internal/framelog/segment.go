package framelog

import (
	"errors"
	"io"
	"slices"

	"github.com/larderbuild/larder/internal/vfs"
)

// segment is one numbered stretch of the log, in one file or, after a failure, in several.
// Its fields are guarded by Log.mu; parts is replaced, never changed in place.
type segment struct {
	id         uint64
	seed       seed
	parts      []*part  // by base
	covered    []string // files that are still there and hold nothing that counts; guarded by Log.wmu
	generation uint32   // highest of any file of this segment
	first      int64    // end when the segment was new
	end        int64    // what counts lies below; of the active one changed below Log.wmu too
	exact      bool     // end is where the frames end, not just where the file does
	synced     int64    // what lies below is durable
	leaving    bool     // about to be removed: no roster names it
}

// part is one file of a segment. It holds the bytes from base to the base of the next part.
// The fields below are guarded by handles.mu.
type part struct {
	name      string
	base      int64
	badHeader bool

	f      vfs.File
	refs   int  // running uses of f
	pinned bool // f is open for writing and stays open
	gone   bool // removed, or replaced: no new use
	used   uint64
}

// at translates a position of the segment into one of the file.
func (p *part) at(off int64) int64 { return off - p.base + headerSize }

// durable reports whether all that s holds is.
func (s *segment) durable() bool { return s.exact && s.synced >= s.end }

// from returns the parts that hold bytes at or above off.
func (s *segment) from(off int64) []*part {
	for i := len(s.parts) - 1; i >= 0; i-- {
		if s.parts[i].base <= off {
			return s.parts[i:]
		}
	}
	return s.parts
}

// cover makes p the holder of everything from its base on and returns the parts that hold
// nothing any more.
func (s *segment) cover(p *part) (dropped []*part) {
	keep := slices.IndexFunc(s.parts, func(q *part) bool { return q.base >= p.base })
	if keep < 0 {
		keep = len(s.parts)
	}
	dropped = s.parts[keep:]
	s.parts = append(slices.Clone(s.parts[:keep]), p)
	return dropped
}

// source reads a segment as it was at one moment.
type source struct {
	handles *handles
	id      uint64
	seed    seed
	parts   []*part
	end     int64
	exact   bool
}

var errHole = errors.New("no file holds this part of the segment")

// readAt reads len(b) bytes at off, fewer where the segment or its files end. A short read
// without an error means that there is no more.
func (s *source) readAt(b []byte, off int64) (int, error) {
	b = b[:max(0, min(int64(len(b)), s.end-off))]
	n := 0
	for n < len(b) {
		m, err := s.readPart(b[n:], off+int64(n))
		n += m
		if err != nil || m == 0 {
			return n, err
		}
	}
	return n, nil
}

// nextPart returns the base of the first part above off, or the end.
func (s *source) nextPart(off int64) int64 {
	for _, p := range s.parts {
		if p.base > off {
			return p.base
		}
	}
	return s.end
}

// readPart reads what the one part that holds off has for b.
func (s *source) readPart(b []byte, off int64) (int, error) {
	i := len(s.parts) - 1
	for i >= 0 && s.parts[i].base > off {
		i--
	}
	if i < 0 {
		return 0, errHole
	}
	if i+1 < len(s.parts) {
		b = b[:min(int64(len(b)), s.parts[i+1].base-off)]
	}
	n, err := s.handles.readAt(s.parts[i], b, s.parts[i].at(off))
	if errors.Is(err, io.EOF) {
		err = nil
		if n < len(b) && i+1 < len(s.parts) {
			err = io.ErrUnexpectedEOF // the next part goes on, this one should have reached it
		}
	}
	return n, err
}
