package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larderbuild/larder/internal/framelog"
)

const (
	// compactBelow: a segment whose live part is smaller than 1/compactBelow is emptied and
	// removed.
	compactBelow = 2
	// compactAgain is how long one is left alone after an error, such as that its file cannot be
	// removed: each try reads it.
	compactAgain = 10 * time.Minute
)

// compact moves what is live out of segments that are mostly dead, and removes them. One in which
// something live is damaged stays, and is reported once. No error keeps the others from their turn.
func (s *Store) compact(ctx context.Context) error {
	s.compactMu.Lock()
	defer s.compactMu.Unlock()
	var errs []error
	for _, seg := range s.flog.Segments() {
		if ctx.Err() != nil || s.incomplete() {
			break
		}
		if seg.Active || s.isStuck(seg.ID) || !s.sparse(seg) || s.space.low(seg.Size) {
			continue
		}
		err := s.compactSegment(ctx, seg.ID)
		if err == nil {
			continue
		}
		if err == errRebuilding {
			break
		}
		errs = append(errs, fmt.Errorf("segment %d: %w", seg.ID, err))
		damaged := errors.Is(err, framelog.ErrDamaged) || errors.Is(err, errRecord)
		s.stuck[seg.ID] = stuck{time.Now(), damaged}
	}
	return errors.Join(errs...)
}

// stuck is a segment that could not be compacted.
type stuck struct {
	since   time.Time
	damaged bool // and never will
}

// isStuck reports whether a segment is left alone. The caller holds compactMu.
func (s *Store) isStuck(id uint64) bool {
	st, ok := s.stuck[id]
	return ok && (st.damaged || time.Since(st.since) < compactAgain)
}

// errRebuilding stops a compaction: an index that is not whole does not tell what is live.
var errRebuilding = errors.New("index is being rebuilt")

// sparse reports whether a compaction of the segment is worth its while. Deletes that were moved into it would be moved again and
// again, until nothing that they undo can come back.
func (s *Store) sparse(seg framelog.Segment) bool {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	n := s.live[seg.ID]
	if !s.oldest(seg.ID) || seg.ID >= s.durable.Segment {
		n += s.moved[seg.ID]
	}
	return n*compactBelow < seg.Size
}

// compactSegment moves the live frames of a segment to the log's end, notes there that the segment
// is gone, and removes it. Damage in it is passed over: logRemoved tells whether that hid a live
// frame.
func (s *Store) compactSegment(ctx context.Context, id uint64) error {
	for fr, err := range s.flog.ScanSegment(id) {
		if err == nil {
			err = s.moveFrame(fr, s.oldest(id))
		}
		if d, ok := errors.AsType[*framelog.Damage](err); ok && d.Reason != framelog.Unreadable {
			s.log().Warn("compaction passes over damage", "error", err)
			continue
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	if err := s.logRemoved(id); err != nil {
		return err
	}
	return s.flog.Remove(id)
}

// oldest reports whether no segment is older than id: then nothing is left that its deletes must
// undo.
func (s *Store) oldest(id uint64) bool {
	segs := s.flog.Segments()
	return len(segs) > 0 && segs[0].ID == id
}

func (s *Store) moveFrame(fr framelog.Frame, oldest bool) error {
	var f frame
	if err := parseFrame(fr.Body, &f); err != nil {
		return err
	}
	switch f.kind {
	case framePut:
		return s.movePut(fr, &f)
	case frameDelete:
		return s.moveDelete(fr, &f, oldest)
	}
	return nil
}

// movePut writes a put again if it is still what its key holds.
func (s *Store) movePut(fr framelog.Frame, f *frame) error {
	o := newOp(framePut, &f.key)
	o.only = fr.Pos
	o.rec, o.area, o.facts = f.rec, f.area, f.factList()
	if err := s.commit(o); err != ErrNotFound {
		return err
	}
	return nil
}

// moveDelete writes a delete again while an older put of its key may still stand in the log, or
// come back with an index that lost its latest writes in a crash.
func (s *Store) moveDelete(fr framelog.Frame, f *frame, oldest bool) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	var r record
	had, err := s.current(&f.key, &r)
	if s.incomplete() { // or the look-up has met damage: nobody knows what the key holds
		return errRebuilding
	}
	if had || err != nil || oldest && fr.Pos.Compare(s.durable) < 0 {
		return err
	}
	s.batch.Reset()
	s.frameBuf = appendKeyed(s.frameBuf[:0], frameDelete, &f.key)
	s.batch.Add(s.frameBuf)
	if err := s.appendGroup(); err != nil { // durable before the segment goes, and the old one counts until then
		return err
	}
	s.moved[s.batch.Pos(0).Segment] += frameKeyed + frameOverhead
	return nil
}

// logRemoved notes that nothing of the segment counts any more. That is an error while the index
// knows of live frames there, whether they are damaged or were cut off with the segment's end.
// Remove makes the note durable before it acts on it.
func (s *Store) logRemoved(id uint64) error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.incomplete() {
		return errRebuilding
	}
	if n := s.live[id]; n > 0 {
		return fmt.Errorf("%d bytes that the index knows of are not there: %w", n, framelog.ErrDamaged)
	}
	s.batch.Reset()
	s.frameBuf = appendRemoved(s.frameBuf[:0], id)
	s.batch.Add(s.frameBuf)
	if err := s.appendGroup(); err != nil {
		return err
	}
	s.forgetSegment(id)
	s.pendingOps++
	return nil
}
