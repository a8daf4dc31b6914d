package cache

import (
	"errors"

	"github.com/larderbuild/larder/internal/framelog"
)

// apply makes a logged change visible. Recovery calls it with what it reads from the log, commit
// with what it wrote there. The caller holds commitMu.
func (s *Store) apply(o *op, pos framelog.Pos) {
	had, err := s.replaced(o)
	if err != nil {
		s.distrust(err)
	}
	o.had = had
	switch o.kind {
	case framePut:
		s.applyPut(o, pos)
	case frameDelete:
		s.applyDelete(o)
	case frameTouch:
		s.applyTouch(o)
	}
}

// ask looks up what o will replace. That is most of the work of a commit, so it is done before the
// lock of commits is taken.
func (s *Store) ask(o *op) {
	sh := s.shard(&o.key)
	sh.mu.Lock()
	v := sh.look(&o.key, &o.old)
	o.epoch = sh.epoch
	sh.mu.Unlock()
	if v == unknown {
		had, err := s.indexed(&o.key, &o.old)
		o.had, o.asked = had, err == nil
	}
}

// replaced reads the record that o replaces. What ask was told by the index is still true unless
// the key or the index has changed since.
func (s *Store) replaced(o *op) (bool, error) {
	sh := s.shard(&o.key)
	sh.mu.Lock()
	_, changed := sh.pending(&o.key)
	if o.asked && !changed && sh.epoch == o.epoch {
		sh.mu.Unlock()
		return o.had, nil
	}
	sh.mu.Unlock()
	return s.current(&o.key, &o.old)
}

func (s *Store) applyPut(o *op, pos framelog.Pos) {
	o.rec.pos = pos
	r := new(record)
	*r = o.rec
	if !o.only.IsZero() { // moved by compaction: same content, new place
		r.lastUse, r.uses = max(r.lastUse, o.old.lastUse), max(r.uses, o.old.uses) // of a touch in the same group
		s.live[o.old.pos.Segment] -= frameCost(&o.old)
		s.live[pos.Segment] += frameCost(r)
		s.moveRecord(&o.key, r, o.area)
		return
	}
	for i := range o.facts {
		s.ref(&o.facts[i])
	}
	s.replace(o, r)
	s.live[pos.Segment] += frameCost(r)
	s.stats.entries.Add(1)
}

func (s *Store) applyDelete(o *op) {
	if s.rebuild != nil && !s.recovering {
		s.rebuild.deleted[o.key] = struct{}{}
	}
	switch {
	case o.had, s.incomplete() && !s.recovering: // an entry that the index has lost may be held, and must not come back
		s.replace(o, nil)
	case !s.recovering:
		o.err = ErrNotFound
	}
}

// applyTouch renews the last use. It changes no content, so leases stay as they are.
func (s *Store) applyTouch(o *op) {
	if !o.had {
		return
	}
	r := new(record)
	*r = o.old
	r.lastUse, r.uses = max(r.lastUse, o.rec.lastUse), max(r.uses, o.rec.uses)
	sh := s.shard(&o.key)
	sh.mu.Lock()
	sh.fresh[o.key] = r
	sh.mu.Unlock()
	s.pendingOps++
}

// replace makes r key's version and gives up what the old one referred to.
func (s *Store) replace(o *op, r *record) {
	sh := s.shard(&o.key)
	s.pendingOps++
	var drops []Digest
	if o.had {
		drops = s.filesReplaced(o, r)
	}
	if l := sh.set(&o.key, r, nil); l != nil {
		k := s.keepHeld(o, l, drops)
		sh.set(&o.key, r, k)
		s.unkeep(k)
	}
	if !o.had {
		return
	}
	s.stats.entries.Add(-1)
	s.live[o.old.pos.Segment] -= frameCost(&o.old)
	for i := range drops {
		s.unref(&drops[i])
	}
}

// keepHeld keeps the version that o drops and l holds. An index that is damaged may have lost it.
func (s *Store) keepHeld(o *op, l *lease, files []Digest) *kept {
	if o.had {
		return s.keep(&o.old, files)
	}
	if r := l.rec.Load(); r != nil {
		return s.keepWhole(&o.key, r)
	}
	return &kept{} // a getter that is about to miss holds a lease on no version at all
}

// keepWhole is keep where nobody knows the files.
func (s *Store) keepWhole(key *Key, r *record) *kept {
	files, _ := s.filesOf(key, r) // of a damaged frame there is nothing to keep
	return s.keep(r, files)
}

// keep pins and loads what the holders of a version need once it is dropped.
func (s *Store) keep(r *record, files []Digest) *kept {
	k := &kept{pinned: files}
	for i := range files {
		s.pin(&files[i])
	}
	if r.mayHaveArea() {
		k.area, _ = s.readArea(r)
	}
	return k
}

// unkeep takes a keep back when the holder left in between.
func (s *Store) unkeep(k *kept) {
	if !k.used {
		s.unpin(k.pinned)
	}
}

// detachLeases makes every lease independent of the index, which is about to be forgotten.
func (s *Store) detachLeases() {
	for i := range s.shards {
		sh := &s.shards[i]
		for _, l := range sh.detachAll() {
			if r := l.rec.Load(); r != nil { // else who reads it now sees that the lease is detached
				k := s.keepWhole(&l.key, r)
				sh.provide(l, k)
				s.unkeep(k)
			}
		}
	}
}

// filesReplaced lists the payload files of the version that o drops. In a recovery the frame that
// the index points to may be gone, since compaction had moved it: if o is the moved frame, the
// files are its own. Otherwise o gets an error.
func (s *Store) filesReplaced(o *op, r *record) []Digest {
	if s.recovering && r != nil && r.table() && o.old.table() && r.digest == o.old.digest {
		return digestsOf(o.facts)
	}
	files, err := s.filesOf(&o.key, &o.old)
	switch {
	case !errors.Is(err, framelog.ErrNotFound):
	case s.recovering:
		o.err = err
	default: // a rebuild has read back what a compaction then removed: it begins again
		s.distrust(err)
	}
	return files
}

func digestsOf(facts []fact) []Digest {
	list := make([]Digest, len(facts))
	for i := range list {
		list[i] = facts[i].digest
	}
	return list
}

// filesOf lists the payload files of a version. What a damaged frame no longer tells stays until
// the index is rebuilt.
func (s *Store) filesOf(key *Key, r *record) ([]Digest, error) {
	if !r.table() {
		if r.inline() {
			return nil, nil
		}
		return []Digest{r.digest}, nil
	}
	var f frame
	if err := s.readFrame(r, &f); err != nil {
		s.log().Warn("log frame of a dropped entry is unreadable",
			"key", key.String(), "error", err)
		return nil, err
	}
	return digestsOf(f.factList()), nil
}

// moveRecord changes where key's frame stands. Holders keep what they may still read from the old
// place.
func (s *Store) moveRecord(key *Key, r *record, area []byte) {
	sh := s.shard(key)
	sh.mu.Lock()
	if l := sh.leases[*key]; l != nil {
		held := append([]byte(nil), area...)
		l.area.Store(&held)
		l.rec.Store(r)
	}
	sh.fresh[*key] = r
	sh.mu.Unlock()
	s.pendingOps++
}

// ref counts one more artifact that refers to a payload file.
func (s *Store) ref(f *fact) {
	p, had, err := s.payload(&f.digest)
	if err != nil {
		s.distrust(err)
	}
	if !had {
		s.stats.payloads.Add(1)
		s.stats.payloadBytes.Add(f.size)
	} else {
		s.stats.sharedBytes.Add(f.size)
	}
	if p.fact != *f {
		p.fact, p.linked = *f, false
		p.verified = 0 // a crash may have lost bytes of what the log names
		if !s.recovering {
			p.verified = s.hashedNow()
		}
	}
	p.refs++
	s.spare(&f.digest)
	s.setPayload(&f.digest, &p)
}

// unref counts one less, and unlinks the file when it was the last.
func (s *Store) unref(d *Digest) {
	p, had, err := s.payload(d)
	if err != nil || !had {
		return
	}
	if p.refs > 1 {
		p.refs--
		s.stats.sharedBytes.Add(-p.size)
		s.setPayload(d, &p)
		return
	}
	s.stats.payloads.Add(-1)
	s.stats.payloadBytes.Add(-p.size)
	s.setPayload(d, nil)
	if !s.recovering && !s.incomplete() { // a frame that is still to be read may refer to the file
		s.doom(d)
	}
}

// frameOverhead is what the log adds to a frame.
const frameOverhead = 24

func frameCost(r *record) int64 { return int64(r.frameLen) + frameOverhead }
