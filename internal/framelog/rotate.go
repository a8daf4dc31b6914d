package framelog

import (
	"errors"
	"io/fs"
	"os"

	"github.com/larderbuild/larder/internal/vfs"
)

// create begins a new segment with a header and a roster. The caller holds wmu.
func (l *Log) create() (*segment, error) {
	if err := l.leave(); err != nil {
		return nil, err
	}
	f, s, err := l.createFile()
	if err != nil {
		return nil, err
	}
	p := s.parts[0]
	l.setRosterDirty(false)
	l.spare = fileHeader{log: l.opt.ID, segment: s.id, base: headerSize}.appendTo(l.spare[:0])
	l.encodeRoster(s, headerSize)
	if _, err := f.WriteAt(l.spare, 0); err != nil {
		return nil, errors.Join(err, f.Close(), l.fs.Remove(l.handles.path(p.name)))
	}
	l.litter = l.sweep(l.litter)
	l.handles.pin(p, f)
	s.first, s.end, s.exact = int64(len(l.spare)), int64(len(l.spare)), true
	l.next = s.id + 1
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segs = append(l.segs, s)
	l.active, l.dirDirty = s, true
	return s, nil
}

// createFile makes the file of the next segment. It never opens one that is there. The caller
// holds wmu.
func (l *Log) createFile() (vfs.File, *segment, error) {
	for ; l.next <= maxSegment; l.next++ {
		name := fileName(slot{segment: l.next}, headerSize)
		f, err := l.fs.OpenFile(l.handles.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		s := &segment{id: l.next, seed: newSeed(l.opt.ID, l.next),
			parts: []*part{{name: name, base: headerSize}}}
		return f, s, nil
	}
	return nil, nil, ErrTooLarge
}

// leave ends appending to the active segment. The caller holds wmu.
func (l *Log) leave() error {
	s := l.active
	if s == nil {
		return nil
	}
	if err := l.coverCut(); err != nil {
		return err
	}
	l.mu.Lock()
	l.active = nil
	l.mu.Unlock()
	l.unpinDurable(s)
	return nil
}

// unpinDurable lets the files of s be closed if nothing of them has to be synced or appended
// to.
func (l *Log) unpinDurable(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == l.active || !s.durable() {
		return
	}
	l.rosterDirty = true
	for _, p := range s.parts {
		l.handles.unpin(p)
	}
}

// Rotate makes the next Append begin a new segment. Without an active segment it does
// nothing.
func (l *Log) Rotate() error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.writable(); err != nil {
		return wrap("rotate", l.dir, err)
	}
	return wrap("rotate", l.dir, l.leave())
}

// Resume lets appending go on in the last segment, and reports whether it will. It is for a log
// that was closed without an error, or was not written to after a Sync, before the first Append;
// end is what [Log.End] told then, before or after Close. If the segment does not end just there,
// nothing happens, and the first Append begins a new one.
func (l *Log) Resume(end Pos) (bool, error) {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	if err := l.writable(); err != nil {
		return false, wrap("resume", l.dir, err)
	}
	s, src := l.last()
	if s == nil || s == l.active || !src.endsWith(end, l.opt.MaxBody) {
		return false, nil
	}
	p := src.parts[len(src.parts)-1]
	f, err := l.fs.OpenFile(l.handles.path(p.name), os.O_RDWR, 0)
	if err != nil {
		return false, wrap("resume", l.dir, err)
	}
	if fi, err := f.Stat(); err != nil || fi.Size() != p.at(src.end) {
		return false, wrap("resume", l.dir, errors.Join(err, f.Close()))
	}
	if !l.activate(s) {
		return false, wrap("resume", l.dir, f.Close())
	}
	l.handles.pin(p, f)
	return true, nil
}

// activate makes s the active segment, which Remove refuses, unless Remove has it already.
func (l *Log) activate(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.leaving {
		return false
	}
	s.first, s.exact, s.synced, l.active = headerSize, true, s.end, s
	return true
}

// endsWith reports whether the owner's frames end at end, and with them, but for rosters, the
// segment.
func (s *source) endsWith(end Pos, maxBody int) bool {
	next := int64(end.Offset)
	if s.id != end.Segment || next < headerSize || next > s.end || s.parts[len(s.parts)-1].badHeader {
		return false
	}
	w := newWalker(*s, next, maxBody)
	for f, ok := w.next(); ok; f, ok = w.next() {
		if f.off != next || f.kind != kindRoster {
			return false
		}
		next += int64(len(f.raw))
	}
	return next == s.end
}

// last returns the segment of the highest id and a view of it, or nil.
func (l *Log) last() (*segment, source) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.segs) == 0 {
		return nil, source{}
	}
	s := l.segs[len(l.segs)-1]
	return s, l.view(s)
}
