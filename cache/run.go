package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// How often upkeep looks after what.
const (
	compactEvery = time.Second
	touchEvery   = time.Minute
	orphanEvery  = 24 * time.Hour
	scrubEvery   = 24 * time.Hour
	scrubFirst   = 10 * time.Minute // after Run began
	scrubStep    = 4 << 20          // bytes read in one round, which is a second
)

// Run does the store's upkeep until ctx ends or the store is closed. It rebuilds a damaged index,
// makes commits durable within 100 ms (Durability Group), compacts the log, logs renewed last uses,
// reads everything once a day and drops what is damaged (4 MiB a second, while the store is in
// use), drops orphaned payload files, and parks the index after [Options.ParkAfter] without a verb.
// It is optional: every verb works before it, without it and after it.
//
// It returns nil once the store is closed, even if that was before, and ctx's error otherwise. A second Run is [ErrRunning].
// Errors of the work itself are logged and the work is tried again.
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
	if s.life.closing.Load() {
		return nil
	}
	return context.Cause(ctx)
}

// upkeep remembers when what was done last.
type upkeep struct {
	s                         *Store
	compacted, touched, swept time.Time
	scrubbed                  time.Time // when the last pass ended
	cursor                    []byte    // where the next step of a pass goes on
	verbs                     int64
	quiet                     time.Time // since when no verb ended
	parked                    bool
}

func newUpkeep(s *Store) *upkeep {
	now := time.Now()
	return &upkeep{
		s: s, compacted: now, touched: now, swept: now, scrubbed: now.Add(scrubFirst - scrubEvery),
	}
}

// round does what is due and returns how long nothing else will be.
func (u *upkeep) round(ctx context.Context) time.Duration {
	s := u.s
	if n := s.lastVerb.Load(); n != u.verbs || s.life.active.Load() > 0 || u.quiet.IsZero() {
		u.verbs, u.quiet, u.parked = n, time.Now(), false
	}
	if s.incomplete() {
		u.note("rebuild", s.finishRebuild(ctx))
	}
	pause := u.sync()
	if u.parked {
		return max(pause, parkedPause)
	}
	if due(&u.compacted, compactEvery) {
		u.note("compact", s.compact(ctx))
		s.tell()
	}
	if due(&u.touched, touchEvery) && !s.space.low(0) {
		u.note("log last uses", s.logTouches())
	}
	if due(&u.swept, orphanEvery) {
		_, err := s.dropOrphans(ctx)
		u.note("drop orphans", err)
	}
	if time.Since(u.scrubbed) >= scrubEvery && !s.incomplete() {
		u.note("scrub", u.scrub(ctx))
	}
	if s.opt.ParkAfter >= 0 && time.Since(u.quiet) >= s.opt.ParkAfter {
		u.parked = s.park()
	}
	return min(pause, compactEvery)
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
	for i := range keys {
		if n >= scrubStep || ctx.Err() != nil {
			return context.Cause(ctx)
		}
		size, _ := s.verifyEntry(ctx, keys[i])
		n += size
		next := indexKey(prefixArtifact, (*[32]byte)(&keys[i]))
		u.cursor = append(next[:], 0)
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

func (u *upkeep) note(what string, err error) {
	if err != nil && !u.s.life.closing.Load() {
		u.s.log().Warn("upkeep failed, will be tried again", "work", what, "error", err)
	}
}

// sync makes a group durable once it is old enough, and returns how long the next one has.
func (u *upkeep) sync() time.Duration {
	s := u.s
	since := s.unsyncedSince.Load()
	if since == 0 || s.opt.Durability != Group {
		return parkedPause
	}
	if left := syncInterval/2 - time.Since(time.Unix(0, since)); left > 0 {
		return left
	}
	u.note("sync", s.syncAll())
	return syncInterval
}

// park writes out what waits, closes the index and gives memory back, unless a verb came in between.
// The next verb opens it again.
func (s *Store) park() bool {
	if s.space.low(0) || s.logTouches() != nil {
		return false
	}
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.life.active.Load() > 0 || s.incomplete() || s.space.low(0) {
		return false
	}
	dirty := s.pendingOps > 0 || !s.lastCheckpoint.clean
	if dirty && s.flush(true) != nil {
		return false
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.idx == nil {
		return true
	}
	if err := s.idx.Close(); err != nil {
		s.distrust(err)
	}
	s.idx = nil
	s.durable = s.lastCheckpoint.applied
	s.forgetRecent()
	debug.FreeOSMemory()
	return true
}
