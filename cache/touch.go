package cache

import (
	"cmp"
	"maps"
	"time"
)

const (
	// touchAfter is how old a recorded last use must be before a get renews it, in seconds.
	touchAfter = 3600
	// maxTouches bounds the renewals that wait; beyond it a last use stays older than it was.
	maxTouches = 1 << 14
	// touchGroup is how many renewals are logged at once: with Always they share an fsync, and a
	// putter waits for no more of them than that.
	touchGroup = 256
)

// used renews the last use of an entry, at most hourly: it is logged by Run, within a minute or
// once half of the renewals that may wait do so, or by Close.
func (s *Store) used(a *Artifact) {
	now := unixSeconds(s.now())
	s.traceRecord("hit", &a.key, &a.rec)
	if int64(now)-int64(a.rec.lastUse) < touchAfter {
		return
	}
	s.touchMu.Lock()
	defer s.touchMu.Unlock()
	waiting := len(s.touches)
	if waiting < maxTouches {
		s.touches[a.key] = now
	}
	if waiting < maxTouches/2 && len(s.touches) == maxTouches/2 {
		s.wakeRun()
	}
}

// manyTouches reports whether so many renewals wait that they must be logged before it is time.
func (s *Store) manyTouches() bool {
	s.touchMu.Lock()
	defer s.touchMu.Unlock()
	return len(s.touches) >= maxTouches/2
}

// lastUse is when key, whose record is r, was used last, whether that is logged yet or not.
func (s *Store) lastUse(key *Key, r *record) time.Time {
	s.touchMu.Lock()
	defer s.touchMu.Unlock()
	return time.Unix(int64(max(r.lastUse, s.touches[*key])), 0)
}

// usedSince reports whether key, whose record is r, is held or has been used after a time.
func (s *Store) usedSince(key *Key, r *record, since time.Time) bool {
	return s.shard(key).leased(key) || s.lastUse(key, r).After(since)
}

// logTouches writes the renewals that wait, a group at a time. Each waits until it is written.
func (s *Store) logTouches() error {
	s.touchMu.Lock()
	touches := maps.Clone(s.touches)
	s.touchMu.Unlock()
	group := make([]*op, 0, touchGroup)
	for key, at := range touches {
		o := newOp(frameTouch, &key)
		o.rec.lastUse = at
		group = append(group, o)
		delete(touches, key)
		if len(group) < touchGroup && len(touches) > 0 {
			continue
		}
		if err := s.commitTouches(group); err != nil {
			return err
		}
		group = group[:0]
	}
	return nil
}

// commitTouches commits a group of renewals, which wait no longer, and returns the first error. An
// entry that was dropped meanwhile is none.
func (s *Store) commitTouches(group []*op) (err error) {
	s.commitMu.Lock()
	s.commitGroup(group)
	s.commitMu.Unlock()
	s.mergeIndex(false)
	s.tell()
	s.touchMu.Lock()
	defer s.touchMu.Unlock()
	for _, o := range group {
		key, at := o.key, o.rec.lastUse
		failed := freeOp(o)
		switch {
		case failed != nil && failed != ErrNotFound: // dropped since
			err = cmp.Or(err, failed)
		case s.touches[key] == at:
			delete(s.touches, key)
		}
	}
	return err
}
