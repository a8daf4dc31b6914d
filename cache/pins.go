package cache

import (
	"maps"
	"slices"
	"sync"
)

// payloads holds what is newer than the index for payload records, and which payload files may not
// be unlinked. Records change only under Store.commitMu.
type payloads struct {
	mu       sync.Mutex
	fresh    map[Digest]*payload // nil: no record any more
	flushing map[Digest]*payload
	pins     map[Digest]*pin
	frozen   bool // nothing is unlinked any more: the root may have another owner, or the log has failed
}

func (p *payloads) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen
}

func (p *payloads) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// pin keeps a payload file: while drafts bring it in and while holders of a dropped artifact may
// read it.
type pin struct {
	n      int  // guarded by payloads.mu
	doomed bool // unlink with the last pin
	place  sync.Mutex
	placed *fact // the file that a draft put in place and that no commit may have told of yet
}

// payload reads the record of a digest.
func (s *Store) payload(d *Digest) (p payload, ok bool, err error) {
	s.pay.mu.Lock()
	r, known := s.pay.pending(d)
	if r != nil {
		p = *r
	}
	s.pay.mu.Unlock()
	if known {
		return p, r != nil, nil
	}
	parse := func(k, v []byte) error { return parsePayload(k, v, &p) }
	ok, err = s.lookup(prefixPayload, (*[32]byte)(d), parse)
	return p, ok, err
}

// pending looks a digest up among what the index does not have yet. A nil record means removed.
func (p *payloads) pending(d *Digest) (r *payload, ok bool) {
	if r, ok = p.fresh[*d]; !ok {
		r, ok = p.flushing[*d]
	}
	return r, ok
}

// setPayload changes the record of a digest, or removes it when p is nil. The caller holds
// commitMu.
func (s *Store) setPayload(d *Digest, p *payload) {
	s.pay.mu.Lock()
	s.pay.fresh[*d] = p
	s.pay.mu.Unlock()
	s.pendingOps++
}

// pin keeps d's file until unpin.
func (s *Store) pin(d *Digest) *pin {
	s.pay.mu.Lock()
	defer s.pay.mu.Unlock()
	p := s.pay.pins[*d]
	if p == nil {
		p = new(pin)
		s.pay.pins[*d] = p
	}
	p.n++
	return p
}

// unpin gives pins back and unlinks what nothing refers to any more.
func (s *Store) unpin(list []Digest) {
	if len(list) == 0 {
		return // for most gets
	}
	s.pay.mu.Lock()
	defer s.pay.mu.Unlock()
	for i := range list {
		d := &list[i]
		p := s.pay.pins[*d]
		if p.n--; p.n > 0 {
			continue
		}
		delete(s.pay.pins, *d)
		if p.doomed {
			s.unlink(d)
		}
	}
}

// doom unlinks d's file, now or with its last pin. It holds the lock while it unlinks, so that a
// draft which pins d afterwards sees that the file is gone.
func (s *Store) doom(d *Digest) {
	s.pay.mu.Lock()
	defer s.pay.mu.Unlock()
	if p := s.pay.pins[*d]; p != nil {
		p.doomed, p.placed = true, nil
		return
	}
	s.unlink(d)
}

// doomUnreferenced dooms a file that nothing refers to, and reports whether it did. Once nothing is
// unlinked any more it does not even look: after the close the index must not be opened again.
func (s *Store) doomUnreferenced(d *Digest) bool {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.pay.isFrozen() || !s.unreferenced(d) {
		return false
	}
	s.doom(d)
	return true
}

// unreferenced reports whether nothing refers to a payload file, for certain: while the index is
// being rebuilt nobody knows. The caller holds commitMu.
func (s *Store) unreferenced(d *Digest) bool {
	_, known, err := s.payload(d)
	return !known && err == nil && !s.incomplete() // asked last, as the look-up may have met damage
}

// spare takes back a doom: something refers to d again.
func (s *Store) spare(d *Digest) {
	s.pay.mu.Lock()
	defer s.pay.mu.Unlock()
	if p := s.pay.pins[*d]; p != nil {
		p.doomed = false
	}
}

// dropUnput unlinks, at the end, what unfinished drafts have brought in. The caller holds commitMu.
func (s *Store) dropUnput() {
	s.pay.mu.Lock()
	pinned := slices.Collect(maps.Keys(s.pay.pins))
	s.pay.mu.Unlock()
	pinned = slices.DeleteFunc(pinned, func(d Digest) bool { return !s.unreferenced(&d) })
	s.pay.mu.Lock()
	defer s.pay.mu.Unlock()
	for i := range pinned {
		s.unlink(&pinned[i])
	}
	s.pay.frozen = true
}

// unlink removes a payload file. One that stays behind is an orphan, which upkeep finds. The caller
// holds payloads.mu.
func (s *Store) unlink(d *Digest) {
	if s.pay.frozen {
		return
	}
	if err := s.fs.Remove(s.blobPath(d)); err != nil && !isNotExist(err) {
		s.log().Warn("payload file stays behind", "digest", d.String(), "error", err)
	}
}
