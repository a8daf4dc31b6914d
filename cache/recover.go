package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync/atomic"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// rebuild reads the whole log into an index that was lost, interleaved with commits. A frame is
// applied only where nothing newer is known of its key. Until the end what it has read may have
// been replaced or deleted by what it has not.
type rebuild struct {
	at      framelog.Pos     // the last frame read
	end     framelog.Pos     // the log's end when the rebuild began
	deleted map[Key]struct{} // since it began: what the log tells of these keys from before does not count
	done    atomic.Bool
}

func (r *rebuild) running() bool { return r != nil && !r.done.Load() }

// recover opens log and index and brings the index up to date with the log.
func (s *Store) recover(ctx context.Context, id [16]byte) error {
	c, known := checkpoint{}, false
	ix, err := s.openIndex()
	if err == nil {
		s.idx = ix
		c, known, err = readCheckpoint(ix)
	}
	if err != nil && !errors.Is(err, index.ErrDamaged) && !errors.Is(err, errRecord) {
		return err
	}
	if err != nil {
		s.log().Warn("index is damaged and will be rebuilt", "error", err)
	}
	dir := filepath.Join(s.dir, "log")
	s.flog, err = framelog.Open(s.fs, dir, &framelog.Options{
		ID: id, MinSegment: c.applied.Segment + 1, SegmentBytes: s.segmentBytes,
	})
	if errors.Is(err, framelog.ErrVersion) {
		return fmt.Errorf("%w: %w", ErrVersion, err)
	}
	if err != nil {
		return err
	}
	s.restore(&c)
	usable := known && c.rebuilt && s.readSegments() == nil
	if usable {
		s.unsyncedFiles.reached(c.synced)
	}
	if usable && c.clean {
		if ok, err := s.flog.Resume(c.applied); ok && err == nil {
			return nil
		}
	}
	return s.recoverUnclean(ctx, &c, usable)
}

// recoverUnclean catches up with the log after a crash, or begins to rebuild the index. An index
// that is ahead, because the log lost its end in a power loss, is kept: what it tells of is
// verified when it is read, and the positions of lost frames are never used again.
func (s *Store) recoverUnclean(ctx context.Context, c *checkpoint, usable bool) error {
	empty := len(s.flog.Segments()) == 0
	if !empty {
		s.inherited.Store(true)
		s.distrustBefore.Store(max(unixSeconds(s.now()), c.hashed)) // the clock may have been set back
	}
	if usable || empty && s.idx != nil && c.applied.IsZero() {
		err := s.replay(ctx, c.applied)
		if err == nil {
			s.forgetGone()
			return nil
		}
		if !isDamage(err) {
			return err // such as for lack of descriptors: nothing is wrong with the index
		}
		s.log().Warn("index cannot be caught up from the log and will be rebuilt", "error", err)
	}
	return s.startRebuild()
}

// isDamage reports whether err says that index and log do not hold what they should, or not
// together.
func isDamage(err error) bool {
	return errors.Is(err, index.ErrDamaged) || errors.Is(err, framelog.ErrDamaged) ||
		errors.Is(err, framelog.ErrNotFound)
}

func readCheckpoint(ix index.Index) (c checkpoint, known bool, err error) {
	v, ok, err := ix.Get(checkpointKey, nil)
	if err != nil || !ok {
		return c, false, err
	}
	return c, true, parseCheckpoint(v, &c)
}

// restore takes over the counters of the index.
func (s *Store) restore(c *checkpoint) {
	s.stats.entries.Store(c.entries)
	s.stats.payloads.Store(c.payloads)
	s.stats.payloadBytes.Store(c.bytes)
	s.stats.sharedBytes.Store(c.shared)
	s.distrustBefore.Store(c.distrust)
	s.lastHashed = c.hashed
	s.lastCheckpoint = *c
}

// readSegments reads from the index how many bytes are live in each segment that it knows of.
func (s *Store) readSegments() error {
	for _, seg := range s.flog.Segments() {
		key := segmentKey(seg.ID)
		v, ok, err := s.idx.Get(key, nil)
		if err == nil && ok {
			v, err = verified(key, v)
		}
		switch {
		case err != nil:
			return err
		case ok && len(v) != 8:
			return errRecord
		case ok:
			s.live[seg.ID] = int64(binary.LittleEndian.Uint64(v))
		}
	}
	return nil
}

// replay applies every frame at or after from. Nothing else runs yet.
func (s *Store) replay(ctx context.Context, from framelog.Pos) error {
	s.recovering = true
	defer func() { s.recovering = false }()
	for fr, err := range s.flog.Scan(from) {
		if err != nil {
			if d, lost := errors.AsType[*framelog.Damage](err); lost && d.Reason == framelog.Torn {
				continue
			} else if lost {
				s.report(Corruption{Path: "log", Reason: err.Error(), Time: s.now()})
			}
			return err
		}
		s.replayed = fr.Pos
		if err := s.redo(fr); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// redo applies one frame of the log. The caller holds commitMu or is alone, and has set recovering.
func (s *Store) redo(fr framelog.Frame) error {
	var f frame
	if err := parseFrame(fr.Body, &f); err != nil {
		reason := fmt.Sprintf("frame %v: %v", fr.Pos, err)
		s.report(Corruption{Path: "log", Reason: reason, Time: s.now()})
		return nil
	}
	if f.kind == frameRemoved {
		if s.live[f.segment] == 0 { // else the file could not be read then, and did not go
			s.forgetSegment(f.segment)
		}
		return nil
	}
	if newer, err := s.knowsNewer(&f.key, fr.Pos); newer || err != nil {
		return err
	}
	o := &op{kind: f.kind, key: f.key, rec: f.rec, area: f.area, facts: f.factList()}
	if f.kind == frameTouch {
		o.rec.lastUse, o.rec.uses = f.lastUse, f.uses
	}
	s.apply(o, fr.Pos)
	if s.pendingOps >= max(s.flushAfter, s.flushRetry) {
		s.flushRetry = 0
		if err := s.flush(false); err != nil { // the log has everything
			s.flushRetry = 2 * s.pendingOps
			s.log().Warn("index cannot be written yet", "error", err)
		}
	}
	return o.err
}

// knowsNewer reports whether the key's state is that of the frame at pos or of a later one.
func (s *Store) knowsNewer(key *Key, pos framelog.Pos) (bool, error) {
	if s.rebuild != nil {
		if _, gone := s.rebuild.deleted[*key]; gone {
			return true, nil
		}
	}
	var r record
	had, err := s.current(key, &r)
	return had && r.pos.Compare(pos) >= 0, err
}

func (s *Store) forgetSegment(id uint64) {
	delete(s.live, id)
	delete(s.moved, id)
	s.gone = append(s.gone, id)
}

// forgetGone forgets the segments that went while the index did not learn of it.
func (s *Store) forgetGone() {
	gone := maps.Clone(s.live)
	for _, seg := range s.flog.Segments() {
		delete(gone, seg.ID)
	}
	for id := range gone {
		s.forgetSegment(id)
	}
}

// distrust notes that the index has lost or changed something and must be rebuilt from the log.
// Run, the next commit or the next miss sees to it.
func (s *Store) distrust(err error) {
	if s.indexDamage.CompareAndSwap(nil, &err) {
		s.log().Warn("index is damaged and will be rebuilt", "error", err)
		s.stats.corrupt.Add(1)
		s.wakeRun()
	}
}

// incomplete reports whether a key that the index does not know may still be in the log: the index
// is damaged or being rebuilt.
func (s *Store) incomplete() bool {
	return s.indexDamage.Load() != nil || s.lastRebuild.Load().running()
}

// startRebuild sets the damaged index aside and begins an empty one. The caller holds commitMu or
// is alone.
func (s *Store) startRebuild() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.idx != nil {
		if err := s.idx.Close(); err != nil {
			s.log().Warn("damaged index does not close", "error", err)
		}
		s.idx = nil
	}
	ix, err := s.emptyIndex()
	if err != nil {
		return err
	}
	s.idx = ix
	s.rebuild = &rebuild{end: s.flog.End(), deleted: map[Key]struct{}{}}
	for _, key := range s.heldDeletes { // the log does not tell of them yet
		s.rebuild.deleted[key] = struct{}{}
	}
	s.lastRebuild.Store(s.rebuild) // first, so that who leases an entry meanwhile does not keep it
	s.detachLeases()
	s.forgetState()
	s.indexDamage.Store(nil)
	return nil
}

// forgetState empties everything that was derived from the index and the log.
func (s *Store) forgetState() {
	for range 2 { // settle empties one of the two maps of changes
		s.swap()
		s.settle()
	}
	s.pendingOps, s.flushRetry = 0, 0
	clear(s.live)
	s.gone = s.gone[:0]
	s.restore(&checkpoint{}) // payloads that come back from the log are not trusted
}

// quarantineIndex moves the index out of the way, durably: compaction takes from the log what only
// an older index needs. One damaged index is kept, for whoever wants to know why.
func (s *Store) quarantineIndex() error {
	from, to := filepath.Join(s.dir, "index"), filepath.Join(s.dir, "quarantine", "index")
	_, err := s.fs.Lstat(from)
	if err == nil {
		if err := removeAll(s.fs, to); err != nil {
			return err
		}
		err = s.fs.Rename(from, to)
	}
	if err != nil && !isNotExist(err) {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

func removeAll(fsys vfs.FS, name string) error {
	fi, err := fsys.Lstat(name)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.IsDir() {
		entries, err := fsys.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := removeAll(fsys, filepath.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}

// finishRebuild reads the rest of the log back. Verbs get their turn between frames; cancelling ctx
// keeps what was read.
func (s *Store) finishRebuild(ctx context.Context) error {
	defer s.tell()
	select {
	case s.rebuilding <- struct{}{}:
		defer func() { <-s.rebuilding }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for tries := 0; s.incomplete(); tries++ {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if damage := s.indexDamage.Load(); tries >= maxRestarts && damage != nil {
			return fmt.Errorf("damaged again in each of %d rebuilds: %w", tries, *damage)
		}
		if err := s.rebuildOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

// maxRestarts is how often a rebuild begins again before somebody who waits for it gives up:
// commits beside it and compaction let it begin again a few times, and a disk that reads nothing
// would for ever.
const maxRestarts = 100

// rebuildOnce runs one rebuild to its end, or to where new damage makes it start again.
func (s *Store) rebuildOnce(ctx context.Context) error {
	s.commitMu.Lock()
	err := s.replaceDamaged()
	r := s.rebuild
	s.commitMu.Unlock()
	if err != nil || r == nil {
		return err
	}
	for fr, err := range s.flog.Scan(r.at) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if d, ok := errors.AsType[*framelog.Damage](err); !ok {
				return fmt.Errorf("rebuild the index from the log: %w", explain(err))
			} else if d.Reason != framelog.Torn {
				s.report(Corruption{Path: "log", Reason: err.Error(), Time: s.now()})
			}
			continue
		}
		if fr.Pos.Compare(r.end) >= 0 {
			break
		}
		if again, err := s.rebuildFrame(r, fr); again || err != nil {
			return err
		}
	}
	return s.endRebuild(r)
}

// replaceDamaged begins a rebuild when the index was found damaged. The caller holds commitMu.
func (s *Store) replaceDamaged() error {
	if s.indexDamage.Load() == nil {
		return nil
	}
	if s.space.low(0) {
		return s.space.refusal()
	}
	return s.startRebuild()
}

func (s *Store) rebuildFrame(r *rebuild, fr framelog.Frame) (again bool, err error) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.rebuild != r || s.indexDamage.Load() != nil {
		return true, nil
	}
	s.recovering = true
	defer func() { s.recovering = false }()
	r.at = fr.Pos
	err = s.redo(fr)
	if errors.Is(err, framelog.ErrNotFound) { // a compaction that was at its end has removed what was read before
		return true, s.startRebuild()
	}
	return false, err
}

func (s *Store) endRebuild(r *rebuild) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.rebuild != r || s.indexDamage.Load() != nil {
		return nil
	}
	r.done.Store(true)
	s.rebuild = nil
	s.log().Info("index rebuilt from the log", "entries", s.stats.entries.Load())
	if err := s.flush(false); err != nil {
		s.log().Warn("index cannot be written yet", "error", err)
	}
	return nil
}
