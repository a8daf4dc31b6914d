package framelog

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/larderbuild/larder/internal/vfs"
)

// Remove deletes a segment. Before that it makes all that was appended durable, so that
// frames which were copied out of the segment are never lost with it, and lets running reads
// end. The deletion is durable after the next [Log.Sync]; a caller that forgets things
// because the segment is gone, calls that first. The segment that is being appended to is
// [ErrActive], one that is not there [ErrNotFound].
//
// Remove needs no free space. On a full disk it deletes the segment first and then notes, in
// the space it got, that it is gone: a crash between the two makes the next scan miss it.
func (l *Log) Remove(id uint64) error {
	s, err := l.markLeaving(id)
	if err != nil {
		return wrap("remove segment", id, err)
	}
	err = l.renewRoster()
	full := vfs.IsNoSpace(err)
	if err == nil || full {
		err = l.Sync()
	}
	if err == nil {
		err = l.unlink(s)
	} else {
		l.keep(s)
	}
	if full {
		_ = l.renewRoster()
	}
	return wrap("remove segment", id, err)
}

// renewRoster writes a roster if the last one is stale. If it cannot, the next append does.
func (l *Log) renewRoster() error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	_, err := l.target(0)
	if err != nil {
		l.setRosterDirty(true)
	}
	return err
}

func (l *Log) markLeaving(id uint64) (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, _ := l.find(id)
	switch {
	case s == nil || s.leaving:
		return nil, ErrNotFound
	case s == l.active:
		return nil, ErrActive
	}
	s.leaving, l.rosterDirty = true, true
	return s, nil
}

func (l *Log) keep(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.leaving, l.rosterDirty = false, true
}

// unlink deletes the files of s. What cannot be deleted stays a segment of the log: the next life
// finds it there.
func (l *Log) unlink(s *segment) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	l.mu.Lock()
	l.segs = slices.DeleteFunc(slices.Clone(l.segs), func(o *segment) bool { return o == s })
	l.removed[s.id] = true
	l.mu.Unlock()
	left, err := l.unlinkParts(s)
	l.mu.Lock()
	l.dirDirty = true // not before: a Sync beside this may be at the folder already
	l.mu.Unlock()
	if len(left) > 0 {
		l.putBack(s, left)
	}
	return err
}

// unlinkParts deletes the files of s, the oldest first: without what covers it, it would show
// frames that do not count. It returns those that are left.
func (l *Log) unlinkParts(s *segment) (left []*part, err error) {
	for _, p := range s.parts {
		err = errors.Join(err, l.handles.drop(p))
	}
	if s.covered = l.sweep(s.covered); len(s.covered) > 0 {
		return s.parts, errors.Join(err, fmt.Errorf("%d files remain", len(s.covered)))
	}
	for i, p := range s.parts {
		if s.generation > 0 { // a power loss must not take p and leave what it covers
			if serr := l.syncNames(); serr != nil {
				return s.parts[i:], errors.Join(err, serr)
			}
		}
		if rerr := l.fs.Remove(l.handles.path(p.name)); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			return s.parts[i:], errors.Join(err, rerr)
		}
	}
	return nil, err
}

// putBack makes s, of which these parts are left, a segment of the log again.
func (l *Log) putBack(s *segment, left []*part) {
	back := &segment{id: s.id, seed: s.seed, covered: s.covered, generation: s.generation,
		first: s.first, end: s.end, exact: s.exact, synced: s.synced}
	for _, p := range left { // whoever uses the old ones finds them gone
		back.parts = append(back.parts, &part{name: p.name, base: p.base, badHeader: p.badHeader})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, i := l.find(s.id)
	l.segs = slices.Insert(slices.Clone(l.segs), i, back)
	delete(l.removed, s.id)
	l.rosterDirty = true
}

func (l *Log) wasRemoved(id uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.removed[id]
}
