package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
)

// How often upkeep looks after what.
const (
	stepEvery   = time.Second
	touchEvery  = time.Minute
	orphanEvery = 24 * time.Hour
	scrubEvery  = 24 * time.Hour
	scrubFirst  = 10 * time.Minute // after Run began
	scrubStep   = 4 << 20          // bytes read in one step
	orphanFirst = time.Minute      // after Run began: many hosts do not run for a day
)

// Run does the store's upkeep until ctx ends or the store is closed. It rebuilds a damaged index,
// makes commits durable within 100 ms (Durability Group), merges the index, compacts the log, logs
// renewed last uses, reads everything once a day and drops what is damaged (4 MiB a second, while
// the store is in use), drops orphaned payload files, and parks the index after [Options.ParkAfter]
// without a verb. It is optional: every verb works before it, without it and after it. Groups are
// made durable on a second goroutine, which ends before Run returns, so that nothing else that
// takes its time keeps them waiting.
//
// It returns nil once the store is closed, even if that was before, and ctx's error otherwise. A
// second Run is [ErrRunning]. Errors of the work itself are logged and the work is tried again.
func (s *Store) Run(ctx context.Context) error {
	if err := s.begin(ctx); errors.Is(err, ErrClosed) {
		return nil
	} else if err != nil {
		return err
	}
	if s.upkeep.Swap(true) {
		s.end()
		return fmt.Errorf("cache: run: %w", ErrRunning)
	}
	s.end()
	defer s.tearDown()
	defer s.upkeep.Store(false)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.life.ctx, func() { cancel(ErrClosed) })()
	var syncing sync.WaitGroup
	syncing.Go(func() { s.syncGroups(ctx) }) // ends with ctx
	u := newUpkeep(s)
	for ctx.Err() == nil {
		timer := time.NewTimer(u.round(ctx))
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.kick:
		}
		timer.Stop()
	}
	syncing.Wait()
	if s.life.closing.Load() {
		return nil
	}
	return context.Cause(ctx)
}

// upkeep remembers when what was done last.
type upkeep struct {
	s                *Store
	stepped, touched time.Time
	swept, scrubbed  time.Time // when the last pass ended
	sweep            sweep
	cursor           *Key // the last that a scrub has read; nil: it begins
	verbs            int64
	quiet            time.Time // since when no verb ended
	parked           bool
}

func newUpkeep(s *Store) *upkeep {
	now := time.Now()
	return &upkeep{
		s: s, stepped: now, touched: now,
		swept: now.Add(orphanFirst - orphanEvery), scrubbed: now.Add(scrubFirst - scrubEvery),
	}
}

// round does what is due and returns how long nothing else will be.
func (u *upkeep) round(ctx context.Context) time.Duration {
	s := u.s
	if n := s.lastVerb.Load(); n != u.verbs || s.life.active.Load() > 0 || u.quiet.IsZero() {
		u.verbs, u.quiet, u.parked = n, time.Now(), false
	}
	if s.incomplete() {
		s.note("rebuild", s.finishRebuild(ctx))
	}
	if u.parked {
		return parkedPause
	}
	if due(&u.stepped, stepEvery) {
		u.step(ctx)
	}
	if (due(&u.touched, touchEvery) || s.manyTouches()) && !s.space.low(0) {
		s.note("log last uses", s.logTouches())
	}
	if s.opt.ParkAfter >= 0 && time.Since(u.quiet) >= s.opt.ParkAfter {
		u.parked = s.park()
	}
	return stepEvery
}

// step does a second's share of the long work. Rounds may be much more frequent.
func (u *upkeep) step(ctx context.Context) {
	if !u.s.space.low(0) {
		u.s.note("log deletes", u.s.catchUp())
	}
	u.s.note("merge", u.s.mergeOn())
	u.s.note("compact", u.s.compact(ctx))
	u.s.tell()
	if time.Since(u.swept) >= orphanEvery && !u.s.incomplete() {
		u.s.note("drop orphans", u.dropOrphans(ctx))
	}
	if time.Since(u.scrubbed) >= scrubEvery && !u.s.incomplete() {
		u.s.note("scrub", u.scrub(ctx))
	}
}

// dropOrphans looks through the next folder, and drops what it found after the last.
func (u *upkeep) dropOrphans(ctx context.Context) (err error) {
	err = u.sweep.step(ctx, u.s)
	if err == nil && u.sweep.folder < u.s.blobFolders() {
		return nil
	}
	if err == nil {
		_, err = u.sweep.end(ctx, u.s)
	}
	u.sweep, u.swept = sweep{}, time.Now()
	return err
}

// scrub reads the next part of what is stored and drops what is damaged. A pass goes on where the
// last step ended, and pauses while the store is parked: its own reads do not keep the store awake.
func (u *upkeep) scrub(ctx context.Context) error {
	s := u.s
	quiet := s.lastVerb.Load() == u.verbs
	keys, _, err := s.page(u.cursor)
	if err != nil {
		return err
	}
	var n int64
	took := func(read int64) error {
		n += read
		return context.Cause(ctx)
	}
	for i := range keys {
		if n >= scrubStep || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := s.verifyEntry(ctx, keys[i], took); err != nil {
			return err
		}
		u.cursor = new(keys[i])
	}
	if quiet {
		u.verbs = s.lastVerb.Load()
	}
	if len(keys) < pageSize {
		u.cursor, u.scrubbed = nil, time.Now()
	}
	return nil
}

// parkedPause is how long a parked store sleeps when nobody wakes it.
const parkedPause = time.Minute

func due(last *time.Time, every time.Duration) bool {
	if time.Since(*last) < every {
		return false
	}
	*last = time.Now()
	return true
}

func (s *Store) note(what string, err error) {
	if err != nil && !s.life.closing.Load() {
		s.log().Warn("upkeep failed, will be tried again", "work", what, "error", err)
	}
}

// syncGroups makes groups durable, with Durability Group, until ctx ends.
func (s *Store) syncGroups(ctx context.Context) {
	for s.opt.Durability == Group && ctx.Err() == nil {
		timer := time.NewTimer(s.syncDue())
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-s.groupBegun:
		}
		timer.Stop()
	}
}

// syncDue makes a group durable once it is old enough, and returns how long the next one has.
func (s *Store) syncDue() time.Duration {
	since := s.unsyncedSince.Load()
	if since == 0 {
		return parkedPause
	}
	if left := syncInterval/2 - time.Since(time.Unix(0, since)); left > 0 {
		return left
	}
	s.note("sync", s.syncAll())
	return syncInterval
}

// park writes out what waits, closes the index and gives memory back, unless a verb came in
// between. The next verb opens it again.
func (s *Store) park() bool {
	if s.space.low(0) || s.logTouches() != nil || s.syncInherited() != nil {
		return false
	}
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.life.active.Load() > 0 || s.incomplete() || s.space.low(0) {
		return false
	}
	dirty := s.pendingOps > 0 || !s.lastCheckpoint.clean
	if dirty {
		err := s.syncFiles() // the next Open takes all of a clean store for durable
		if err == nil {
			err = s.flush(true)
		}
		if err != nil {
			s.log().Warn("store cannot be parked yet", "error", err)
			return false
		}
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.idx == nil {
		return true
	}
	switch err := s.idx.Sync(); {
	case err == nil:
		s.durable = s.lastCheckpoint.applied
	case errors.Is(err, index.ErrDamaged):
		s.distrust(err)
	default:
		s.log().Warn("index cannot be synced yet", "error", err)
		return false
	}
	if err := s.idx.Close(); err != nil {
		s.log().Warn("parked index does not close", "error", err)
	}
	s.idx = nil
	s.flog.Rest()
	debug.FreeOSMemory()
	return true
}
