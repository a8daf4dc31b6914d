package cache

import "os"

// damaged is corrupt for a payload file that stands where it should with the wrong bytes: the file
// goes too, so that nobody else is given it.
func (a *Artifact) damaged(it *item, reason string) error {
	a.s.removeDamaged(it)
	return a.corrupt(it.digest, reason)
}

// removeDamaged takes a payload file away unless it has been replaced by a sound one since.
func (s *Store) removeDamaged(it *item) {
	p := s.pin(&it.digest)
	defer s.unpin([]Digest{it.digest})
	p.place.Lock()
	defer p.place.Unlock()
	path := s.blobPath(&it.digest)
	f, err := s.fs.OpenFile(path, os.O_RDONLY, 0)
	if err == nil {
		x, herr := hashFile(f)
		f.Close()
		if herr == nil && it.xxh != 0 && x == it.xxh {
			return
		}
	}
	if err := s.fs.Remove(path); err != nil && !isNotExist(err) {
		s.log().Warn("damaged payload file cannot be removed", "path", path, "error", err)
		s.disbelieve(&it.digest)
	}
}

// missing is corrupt for what does not stand where it should. After a release it may have been
// given up since, and that is no damage.
func (a *Artifact) missing(d Digest, reason string) error {
	a.mu.Lock()
	released := a.released
	a.mu.Unlock()
	if released {
		return a.errReleased()
	}
	return a.corrupt(d, reason)
}

// corrupt drops the entry that the artifact was read from, if it still stands, and reports it.
func (a *Artifact) corrupt(d Digest, reason string) error {
	s := a.s
	o := newOp(frameDelete, &a.key)
	o.only = a.rec.pos
	if err := s.commit(o); err != nil && err != ErrNotFound && err != errRebuilding {
		s.log().Warn("corrupt entry cannot be dropped", "key", a.key.String(), "error", err)
	}
	c := Corruption{Key: a.key, Digest: d, Reason: reason, Time: s.now()}
	if d != (Digest{}) {
		c.Path = s.blobName(&d)
	}
	s.report(c)
	s.tell()
	return &corruptError{c}
}

// report counts damage and keeps it for the host until tell: most of it is found under locks.
func (s *Store) report(c Corruption) {
	s.stats.corrupt.Add(1)
	s.log().Warn("corrupt", "key", c.Key.String(), "path", c.Path, "reason", c.Reason)
	if s.opt.OnCorrupt == nil {
		return
	}
	s.untoldMu.Lock()
	s.untold = append(s.untold, c)
	s.untoldMu.Unlock()
}

// tell passes what was reported on to the host, which may call the store: the caller holds no lock.
func (s *Store) tell() {
	s.untoldMu.Lock()
	list := s.untold
	s.untold = nil
	s.untoldMu.Unlock()
	for _, c := range list {
		s.opt.OnCorrupt(c)
	}
}
