package cache

import (
	"context"
	"errors"
	"fmt"
)

// Get returns the artifact under key and holds a lease on it: nothing that the artifact names is
// changed or removed until [Artifact.Release]. A key with nothing under it is [ErrNotFound].
// Content is verified when it is read, so a later verb of the artifact may still find it damaged
// and return [ErrCorrupt], which is [ErrNotFound] too.
func (s *Store) Get(ctx context.Context, key Key) (*Artifact, error) {
	return s.get(ctx, key, true)
}

// get is Get. One that fetches what a build has just made is not counted: it is no hit.
func (s *Store) get(ctx context.Context, key Key, counted bool) (*Artifact, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	a, err := s.find(ctx, &key)
	if err != nil {
		return nil, fmt.Errorf("cache: get %v: %w", key, err)
	}
	switch {
	case a != nil && counted:
		s.stats.hits.Add(1)
		s.used(a)
	case counted:
		s.stats.misses.Add(1)
		s.traceRecord("miss", &key, &record{})
	}
	if a == nil {
		return nil, ErrNotFound
	}
	return a, nil
}

// find leases key's version and reads its record. While the index is damaged or being rebuilt, what
// it says of a key may have been replaced or deleted by a frame that is still to be read, so it is
// a miss. If Run does not finish the rebuild, find does so first.
func (s *Store) find(ctx context.Context, key *Key) (*Artifact, error) {
	for tries := 0; ; tries++ {
		r := s.lastRebuild.Load()
		running := r.running()
		a, err := s.leaseRecord(key)
		if a != nil && (!running || a.rec.pos.Compare(r.end) >= 0) &&
			s.indexDamage.Load() == nil && s.lastRebuild.Load() == r {
			return a, nil
		}
		if a != nil {
			s.unpin(s.shard(key).release(a.lease))
			if !s.incomplete() {
				continue // all is read by now
			}
		}
		if !s.incomplete() || s.upkeep.Load() || tries >= maxRebuilds {
			if s.incomplete() {
				err = nil // being rebuilt: a miss
			}
			return nil, err
		}
		if err := s.finishRebuild(ctx); errors.Is(err, ErrNoSpace) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// maxRebuilds is how many rebuilds in a row a get waits for when the index is damaged again after
// each, as on a disk that reads nothing.
const maxRebuilds = 3

// leaseRecord returns key's version with a lease on it, or nil. Each try has an artifact of its
// own: what a lease knows of its version is that of the first.
func (s *Store) leaseRecord(key *Key) (*Artifact, error) {
	sh := s.shard(key)
	for {
		a := &Artifact{s: s, key: *key}
		v := sh.acquire(a)
		l, ok := a.lease, v == present
		var err error
		if v == unknown {
			ok, err = s.indexed(key, &a.rec)
		}
		if ok {
			l.rec.CompareAndSwap(nil, &a.rec) // unless compaction has told a newer place
		}
		if ok && !l.detached.Load() {
			return a, nil
		}
		again := l.detached.Load()
		s.unpin(sh.release(l))
		if err != nil || !again {
			return nil, err
		}
	}
}
