package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/larderbuild/larder/cache/internal/index"
)

// Close refuses new verbs and cancels the builds of Do. Then it waits, until ctx ends, for running
// verbs, open readers, Run and every lease. When leases are still held then, it returns a
// [*HeldError], else ctx's error: artifacts that were got stay usable, and the last Release gives
// up the root's lock. When Close has returned nil, everything acknowledged is durable, in every
// [Durability]. It is idempotent; a second call waits again.
func (s *Store) Close(ctx context.Context) error {
	s.life.closing.Store(true)
	s.life.cancel(ErrClosed)
	s.cancelFlights()
	s.tearDown()
	select {
	case <-s.life.done:
	case <-ctx.Done():
	}
	select {
	case <-s.life.done: // even if ctx has ended too
		return s.life.err
	default:
	}
	if held := s.held(); len(held) > 0 {
		return &HeldError{Leases: held}
	}
	return fmt.Errorf("cache: close: %w", context.Cause(ctx))
}

func (s *Store) held() (list []Lease) {
	for i := range s.shards {
		list = s.shards[i].held(list)
	}
	return list
}

// tearDown ends a closing store once nothing runs and nobody holds anything: whoever is last does
// it.
func (s *Store) tearDown() {
	busy := func() bool { return s.life.active.Load() != 0 } // asked twice: who held a lease may be in a verb
	if !s.life.closing.Load() || busy() || s.upkeep.Load() || len(s.held()) > 0 || busy() {
		return
	}
	if s.life.torn.Swap(true) {
		return
	}
	s.life.err = s.wrap("close", s.shut())
	close(s.life.done)
}

// shut writes what is still in memory, marks the index clean and closes all files.
func (s *Store) shut() error {
	var errs []error
	if !s.space.low(0) {
		errs = append(errs, unlessDamaged(s.logTouches()))
	}
	errs = append(errs, s.catchUp(), s.syncAll())
	s.commitMu.Lock()
	dirty := s.pendingOps > 0 || !s.lastCheckpoint.clean || s.lastCheckpoint.applied != s.flog.End()
	if dirty && !s.space.low(0) && !s.incomplete() && errors.Join(errs...) == nil {
		errs = append(errs, unlessDamaged(s.flush(true)))
	}
	s.dropUnput()
	s.commitMu.Unlock()
	s.gate.Lock()
	if s.idx != nil {
		errs = append(errs, s.idx.Close())
	}
	s.gate.Unlock()
	errs = append(errs, s.flog.Close(), s.lock.release())
	return errors.Join(errs...)
}

// unlessDamaged returns err, or nil when it says that the index is damaged: that is rebuilt, as the
// log has everything.
func unlessDamaged(err error) error {
	if errors.Is(err, index.ErrDamaged) {
		return nil
	}
	return err
}
