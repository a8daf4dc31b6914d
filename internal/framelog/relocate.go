package framelog

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/larderbuild/larder/internal/vfs"
)

// relocate moves what s holds from the offset from on into a new file, durably. The new file
// covers the old ones from there on, so positions stay. When it fails the old files are as
// they were, but nothing may be appended to them: the new one may be there and cover it at
// the next Open. The caller holds wmu.
func (l *Log) relocate(s *segment, from int64) error {
	from = max(from, headerSize)
	l.mu.Lock()
	s.generation++ // a number is never used twice, not even after a failure
	src, generation := l.view(s), s.generation
	l.mu.Unlock()
	p := &part{name: fileName(slot{s.id, generation}, uint32(from)), base: from}
	h := fileHeader{generation: generation, log: l.opt.ID, segment: s.id, base: uint32(from)}
	if err := l.writePart(src, p, h); err != nil {
		return err
	}
	if s == l.active {
		f, err := l.fs.OpenFile(l.handles.path(p.name), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		l.handles.pin(p, f)
		l.cutDirty = false
	}
	for _, old := range l.replace(s, p, src.end) {
		l.handles.drop(old)
		s.covered = append(s.covered, old.name)
	}
	s.covered = l.sweep(s.covered)
	return nil
}

// sweep deletes files that nobody looks at and returns those that it cannot.
func (l *Log) sweep(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		err := l.fs.Remove(l.handles.path(name))
		return err == nil || errors.Is(err, fs.ErrNotExist)
	})
}

// replace makes p part of s and returns the parts it covers.
func (l *Log) replace(s *segment, p *part, end int64) []*part {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.synced >= p.base || s.synced < headerSize && p.base == headerSize {
		s.synced = end
	}
	return s.cover(p)
}

// writePart makes the file of p. It gets its name only when it is whole and durable, because
// at the next Open it will be believed before the older files.
func (l *Log) writePart(src source, p *part, h fileHeader) (err error) {
	path := l.handles.path(p.name)
	tmp := path + unfinished
	f, err := l.fs.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	err = fillPart(f, src, h, l.opt.MaxBody)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = l.fs.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, l.fs.Remove(tmp))
	}
	return l.fs.SyncDir(l.dir)
}

func fillPart(f vfs.File, src source, h fileHeader, maxBody int) error {
	w := bufio.NewWriterSize(f, chunk)
	w.Write(h.appendTo(nil)) // a bufio.Writer keeps its error for Flush
	if err := copyFrames(w, src, int64(h.base), maxBody); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// copyFrames copies all frames of src at or above from. Each must hold and none may be
// missing.
func copyFrames(w *bufio.Writer, src source, from int64, maxBody int) error {
	next := from
	walk := newWalker(src, from, maxBody)
	for f, ok := walk.next(); ok; f, ok = walk.next() {
		w.Write(f.raw)
		next += int64(len(f.raw))
	}
	if next != src.end { // else none was passed over, for they do not overlap
		return &Damage{Segment: src.id, From: next, To: src.end, Reason: BadFrame}
	}
	return nil
}
