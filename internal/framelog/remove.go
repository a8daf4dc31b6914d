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

// unlink deletes the files of s, the oldest first: without what covers it, it would show
// frames that do not count.
func (l *Log) unlink(s *segment) error {
	l.wmu.Lock()
	defer l.wmu.Unlock()
	l.mu.Lock()
	l.segs = slices.DeleteFunc(slices.Clone(l.segs), func(o *segment) bool { return o == s })
	l.removed[s.id], l.dirDirty = true, true
	l.mu.Unlock()
	var err error
	if s.covered = l.sweep(s.covered); len(s.covered) > 0 {
		err = fmt.Errorf("%d files remain", len(s.covered))
	}
	for _, p := range s.parts {
		err = errors.Join(err, l.handles.drop(p))
		if rerr := l.fs.Remove(l.handles.path(p.name)); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

func (l *Log) wasRemoved(id uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.removed[id]
}
