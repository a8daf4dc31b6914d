package cache

import (
	"errors"
	"fmt"

	"github.com/larderbuild/larder/cache/internal/index"
)

// withIndex runs fn with the open index; a parked one is opened first.
func (s *Store) withIndex(fn func(index.Index) error) error {
	for {
		s.gate.RLock()
		if s.idx != nil {
			err := fn(s.idx)
			s.gate.RUnlock()
			if errors.Is(err, index.ErrDamaged) {
				s.distrust(err)
			}
			return err
		}
		s.gate.RUnlock()
		if err := s.wake(); err != nil {
			return err
		}
	}
}

// wake opens a parked index.
func (s *Store) wake() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.idx != nil {
		return nil
	}
	ix, err := s.reopen()
	if errors.Is(err, index.ErrDamaged) {
		s.distrust(err)
		ix, err = s.emptyIndex()
	}
	if err != nil {
		return fmt.Errorf("cache: reopen index: %w", err)
	}
	s.idx = ix
	s.wakeRun()
	return nil
}

// reopen opens the index that was parked, which nobody may have changed.
func (s *Store) reopen() (index.Index, error) {
	ix, err := s.openIndex()
	if err != nil {
		return nil, err
	}
	c, _, err := readCheckpoint(ix)
	if errors.Is(err, errRecord) || err == nil && c != s.lastCheckpoint {
		err = index.ErrDamaged
	}
	if err != nil {
		return nil, errors.Join(err, ix.Close())
	}
	return ix, nil
}

// emptyIndex sets a damaged index aside and opens an empty one.
func (s *Store) emptyIndex() (index.Index, error) {
	if err := s.quarantineIndex(); err != nil {
		return nil, err
	}
	return s.openIndex()
}
