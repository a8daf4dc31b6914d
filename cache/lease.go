package cache

import (
	"sync"
	"sync/atomic"
)

// shardCount spreads keys over locks; keys are digests, so their first byte is uniform.
const shardCount = 64

// shard holds what is newer than the index for a part of the keys, and who holds which of them.
// A nil record is a deleted key.
type shard struct {
	mu       sync.Mutex
	fresh    map[Key]*record // committed, not yet in the index
	flushing map[Key]*record // being written to the index
	epoch    uint64          // counts the writes of the index
	leases   map[Key]*lease  // of the current version of each key
	detached map[*lease]struct{}
}

// lease counts the holders of one version of a key. When the version is dropped while held, the
// lease is detached: it leaves the map, its payloads stay pinned, and its last holder unpins them.
type lease struct {
	key      Key
	n        int                    // guarded by the shard
	rec      atomic.Pointer[record] // of the version, once a holder has read it
	detached atomic.Bool
	pinned   []Digest // guarded by the shard
	// area is the inline area of the version's frame, kept when the frame may leave the log.
	area atomic.Pointer[[]byte]
}

func (s *Store) shard(key *Key) *shard { return &s.shards[key[0]%shardCount] }

// pending looks a key up among what the index does not have yet. A nil record means deleted.
func (sh *shard) pending(key *Key) (r *record, ok bool) {
	if r, ok = sh.fresh[*key]; !ok {
		r, ok = sh.flushing[*key]
	}
	return r, ok
}

// version is what can be said of a key without the index.
type version uint8

const (
	unknown version = iota
	absent
	present
)

// look reads key's record without the index. The caller holds the lock.
func (sh *shard) look(key *Key, r *record) version {
	p, ok := sh.pending(key)
	switch {
	case !ok:
		return unknown
	case p == nil:
		return absent
	}
	*r = *p
	return present
}

// acquire gives a a lease on its key's current version, which may turn out to be absent, and reads
// its record as look does.
func (sh *shard) acquire(a *Artifact) version {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if a.lease = sh.leases[a.key]; a.lease == nil {
		a.lease = &a.first
		a.first.key = a.key
		sh.leases[a.key] = a.lease
	}
	a.lease.n++
	return sh.look(&a.key, &a.rec)
}

// release gives one hold back and returns the payloads that the last holder must unpin.
func (sh *shard) release(l *lease) (unpin []Digest) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l.n--; l.n > 0 {
		return nil
	}
	if l.detached.Load() {
		delete(sh.detached, l)
		return l.pinned
	}
	delete(sh.leases, l.key)
	return nil
}

// held lists the leases of a shard.
func (sh *shard) held(list []Lease) []Lease {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, l := range sh.leases {
		list = append(list, Lease{Key: l.key, Count: l.n})
	}
	for l := range sh.detached {
		list = append(list, Lease{Key: l.key, Count: l.n})
	}
	return list
}

// set makes r (nil: deleted) the current version of key. If the version it replaces is held, it
// returns the lease instead and is called again with what the holders need, which is pinned and
// loaded with no lock held.
func (sh *shard) set(key *Key, r *record, kept *kept) *lease {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if l := sh.leases[*key]; l != nil {
		if kept == nil {
			return l
		}
		sh.detach(l, kept)
	}
	sh.fresh[*key] = r
	return nil
}

// detach makes l a lease on a dropped version. The caller holds the lock.
func (sh *shard) detach(l *lease, kept *kept) {
	l.provide(kept)
	l.detached.Store(true)
	delete(sh.leases, l.key)
	sh.detached[l] = struct{}{}
}

// provide takes over what was kept. The caller holds the lock.
func (l *lease) provide(kept *kept) {
	l.pinned = kept.pinned
	if kept.area != nil {
		l.area.Store(&kept.area)
	}
	kept.used = true
}

// detachAll detaches the leases on current versions, and leaves it to the caller to provide for
// them.
func (sh *shard) detachAll() (list []*lease) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, l := range sh.leases {
		sh.detach(l, &kept{})
		list = append(list, l)
	}
	return list
}

// provide gives a detached lease, if it is still held, what its holders need.
func (sh *shard) provide(l *lease, kept *kept) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, held := sh.detached[l]; held {
		l.provide(kept)
	}
}

// kept is what the holders of a dropped version still need.
type kept struct {
	pinned []Digest
	area   []byte
	used   bool
}

func (sh *shard) leased(key *Key) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.leases[*key] != nil
}
