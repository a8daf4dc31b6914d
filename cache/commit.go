package cache

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// op is one change on its way into the log.
type op struct {
	kind frameKind
	key  Key
	rec  record
	// facts names the payload files of a put, which the caller has pinned; area is its inline area.
	facts []fact
	area  []byte
	// only makes the change depend on key's record still standing at this position.
	only framelog.Pos
	// idle makes a delete depend on nobody holding key, or having used it since.
	idle *time.Time

	old   record // what the change replaces
	had   bool
	asked bool   // old and had are what the index said in epoch
	epoch uint64 // of the key's shard
	skip  bool   // it does not take place
	frame int    // in the group's batch
	err   error

	wake chan struct{} // where it waits to be committed by another, or to be given the lead
	lead bool
}

// committer lets the first of all waiting callers commit for all that wait, and hands the lead to
// the next one when others have come in meanwhile.
type committer struct {
	mu      sync.Mutex
	waiting []*op
	spare   []*op
	leading bool
}

var ops = sync.Pool{New: func() any { return new(op) }}

func newOp(kind frameKind, key *Key) *op {
	o := ops.Get().(*op)
	*o = op{kind: kind, key: *key}
	return o
}

// commit makes o part of the store and returns when it is acknowledged as the durability demands.
// It frees o.
func (s *Store) commit(o *op) error {
	c := &s.committer
	c.mu.Lock()
	c.waiting = append(c.waiting, o)
	follow := c.leading
	if follow {
		o.wake = make(chan struct{}, 1)
	}
	c.leading = true
	c.mu.Unlock()
	if follow {
		<-o.wake
		if !o.lead {
			return freeOp(o)
		}
	}
	s.lead()
	return freeOp(o)
}

func freeOp(o *op) error {
	err := o.err
	o.facts, o.area, o.err = nil, nil, nil
	ops.Put(o)
	return err
}

// lead commits one group, the caller's own change among it.
func (s *Store) lead() {
	c := &s.committer
	c.mu.Lock()
	group := c.waiting
	c.waiting, c.spare = c.spare[:0], nil
	c.mu.Unlock()

	s.commitMu.Lock()
	s.commitGroup(group)
	s.commitMu.Unlock()

	c.mu.Lock()
	for _, o := range group[1:] {
		o.wake <- struct{}{}
	}
	clear(group)
	c.spare = group[:0]
	if len(c.waiting) > 0 {
		c.waiting[0].lead = true
		c.waiting[0].wake <- struct{}{}
	} else {
		c.leading = false
	}
	c.mu.Unlock()
	s.mergeIndex(false) // others commit meanwhile
	s.tell()
}

// commitGroup writes a group to the log, then makes it visible. The caller holds commitMu.
func (s *Store) commitGroup(group []*op) {
	if err := s.replaceDamaged(); err != nil {
		s.log().Warn("damaged index cannot be replaced yet", "error", err)
	}
	low := s.space.low(s.groupBytes(group))
	s.batch.Reset()
	s.logHeldDeletes()
	for _, o := range group {
		s.prepare(o, low)
	}
	if err := s.appendGroup(); err != nil {
		s.failGroup(group, err)
		return
	}
	err := s.makeDurable()
	for _, o := range group {
		if !o.skip {
			s.apply(o, s.batch.Pos(o.frame))
			o.err = errors.Join(o.err, err)
		}
	}
	s.heldDeletes = s.heldDeletes[:0]
	s.owesDeletes.Store(false)
	if s.pendingOps >= s.flushAfter && !low {
		s.writeIndex(false)
	}
}

func (s *Store) groupBytes(group []*op) (n int64) {
	for _, o := range group {
		n += int64(len(o.area)) + recordMaxBytes + 1024
	}
	return n
}

// prepare adds the frame of o to the batch if o takes place.
func (s *Store) prepare(o *op, low bool) {
	ok, err := s.admit(o, low)
	o.skip, o.err = !ok, err
	if ok {
		o.frame = s.addFrame(o)
	}
}

// admit decides whether o takes place. It reads what o replaces, unless that does not matter. A
// change that depends on a version which has been replaced does not take place, and that is no
// error.
func (s *Store) admit(o *op, low bool) (ok bool, err error) {
	conditional := !o.only.IsZero()
	switch {
	case conditional && s.incomplete():
		return false, errRebuilding
	case conditional && s.inGroup(&o.key):
		return false, nil // an earlier change of this group replaces what o depends on
	case o.kind == framePut && !conditional:
		if low {
			return false, s.space.refusal()
		}
		return true, nil
	}
	had, err := s.current(&o.key, &o.old)
	switch {
	case o.idle != nil && (s.incomplete() || s.inGroup(&o.key) || s.usedSince(&o.key, &o.old, *o.idle)):
		return false, ErrInUse
	case o.kind == frameDelete && !conditional && s.incomplete(): // the log may have it
	case err != nil:
		return false, err
	case !had && !s.inGroup(&o.key):
		return false, ErrNotFound
	case conditional && o.old.pos != o.only:
		return false, nil
	}
	switch o.kind {
	case framePut: // moved by compaction
		o.rec.lastUse, o.rec.uses = o.old.lastUse, o.old.uses
	case frameTouch:
		o.rec.uses = o.old.uses + 1
	}
	return true, nil
}

// inGroup reports whether an earlier change of this group may concern key: then apply decides.
func (s *Store) inGroup(key *Key) bool {
	_, ok := s.groupKeys[*key]
	return ok
}

func (s *Store) addFrame(o *op) int {
	if o.kind != frameTouch { // that leaves the version as it is
		s.groupKeys[o.key] = struct{}{}
	}
	switch o.kind {
	case framePut:
		o.rec.frameLen = uint32(putFrameLen(&o.rec, len(o.facts), len(o.area)))
		s.frameBuf = appendPut(s.frameBuf[:0], &o.key, &o.rec, o.facts)
		return s.batch.Add(s.frameBuf, o.area)
	case frameTouch:
		s.frameBuf = appendTouch(s.frameBuf[:0], &o.key, o.rec.lastUse, o.rec.uses)
	default:
		s.frameBuf = appendKeyed(s.frameBuf[:0], frameDelete, &o.key)
	}
	return s.batch.Add(s.frameBuf)
}

// appendGroup writes the batch. With Always the payload files and their folders are durable
// already, before the log tells of them: what a record replaces must not be lost for one that is
// not there.
func (s *Store) appendGroup() error {
	clear(s.groupKeys)
	if s.opt.Durability == Always && !s.inherited.Load() {
		s.unsyncedFiles.reached(s.flog.End())
	}
	if err := s.flog.Append(&s.batch); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// makeDurable does what the durability demands before a group is acknowledged. The group is in the
// log already, so it becomes visible even when this fails. Then nobody can tell which of two
// versions the next life finds, and from now on the payload files of both stay.
func (s *Store) makeDurable() error {
	switch s.opt.Durability {
	case None:
		return nil
	case Group:
		s.groupDue()
		return nil
	}
	if err := s.flog.Sync(); err != nil {
		s.pay.freeze()
		return fmt.Errorf("not durable: log: %w", err)
	}
	return nil
}

// groupDue notes that something waits to be made durable. Without Run, the first commit after the
// interval does it.
func (s *Store) groupDue() {
	now := time.Now()
	since := s.unsyncedSince.Load()
	switch {
	case since == 0:
		s.unsyncedSince.Store(now.UnixNano())
		ring(s.groupBegun)
		s.wakeRun()
	case !s.upkeep.Load() && now.Sub(time.Unix(0, since)) > syncInterval:
		s.unsyncedSince.Store(0)
		if err := s.syncFiles(); err != nil {
			s.unsyncedSince.Store(since)
			s.log().Warn("group is not durable yet", "error", err)
		}
	}
}

// failGroup answers a group that could not be logged, the changes too that were skipped because an
// earlier one of the group would have replaced what they depend on. When the disk is full a delete
// is carried out all the same, since it frees space, and logged later. A log that has failed takes
// nothing more.
func (s *Store) failGroup(group []*op, err error) {
	full := vfs.IsNoSpace(err)
	if full {
		err = mapError(err)
		s.space.full()
	}
	hold := full && !errors.Is(err, framelog.ErrFailed)
	for _, o := range group {
		switch {
		case o.skip && o.err != nil:
		case hold && !o.skip && o.kind == frameDelete && len(s.heldDeletes) < maxHeldDeletes:
			s.heldDeletes = append(s.heldDeletes, o.key)
			s.owesDeletes.Store(true)
			s.apply(o, framelog.Pos{})
		default:
			o.err = err
		}
	}
}

// maxHeldDeletes bounds what a full disk can make the store remember: 32 bytes each.
const maxHeldDeletes = 1 << 20

// catchUp logs the deletes that a full disk kept out of the log, without waiting for another
// change.
func (s *Store) catchUp() error {
	if !s.owesDeletes.Load() {
		return nil
	}
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.commitGroup(nil)
	if n := len(s.heldDeletes); n > 0 {
		return fmt.Errorf("%d deletes are not in the log yet: %w", n, ErrNoSpace)
	}
	return nil
}

// logHeldDeletes adds deletes that a full disk kept out of the log.
func (s *Store) logHeldDeletes() {
	for i := range s.heldDeletes {
		s.frameBuf = appendKeyed(s.frameBuf[:0], frameDelete, &s.heldDeletes[i])
		s.batch.Add(s.frameBuf)
	}
}
