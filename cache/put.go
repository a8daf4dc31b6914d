package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Put stores d under key and consumes d, whatever it returns. What stood under the key before is
// replaced at once; those who hold a lease on it keep it. When Put has returned nil the entry
// survives the death of the process; what it takes to survive a power loss is set by
// [Options.Durability]. When it has returned an error, nothing of d is visible; only after a failed
// fsync of the log (Always) may the entry be visible, and not durable. Cancelling ctx returns early
// only before the entry is written.
//
// Errors: a [*NameError] or another error that an Add verb returned before, [ErrTooLarge] for
// metadata or an exit code, [ErrNoSpace], [ErrReadOnly], [ErrClosed].
func (s *Store) Put(ctx context.Context, key Key, d *Draft) error {
	defer d.Discard()
	if d.s != s {
		return fmt.Errorf("cache: put %v: the draft is of another store", key)
	}
	if err := d.begin(); err != nil {
		return err
	}
	defer s.end()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cache: put %v: %w", key, err)
	}
	if err := s.put(key, d); err != nil {
		return s.wrap("put "+key.String(), err)
	}
	return nil
}

func (s *Store) put(key Key, d *Draft) error {
	o := newOp(framePut, &key)
	if err := d.seal(&o.rec); err != nil {
		freeOp(o)
		return err
	}
	now := s.now()
	o.rec.created, o.rec.lastUse = now.UnixNano(), unixSeconds(now)
	o.facts, o.area = d.facts, d.area
	rec := o.rec
	s.ask(o)
	if err := s.commit(o); err != nil {
		return err
	}
	d.finish(true)
	s.stats.puts.Add(1)
	s.traceRecord("put", &key, &rec)
	return nil
}

// Delete drops key. New gets miss at once; those who hold a lease keep what they have. Payload
// files that nothing refers to any more are unlinked, held ones with the last Release. An absent
// key is [ErrNotFound]; while Run rebuilds the index, a key that is not found yet is deleted all
// the same. On a full disk a delete takes place in memory and on disk, and is logged when there is
// room again, by the next change, Run, Sync or Close. Until then Sync and Close return
// [ErrNoSpace].
func (s *Store) Delete(ctx context.Context, key Key) error {
	return s.delete(ctx, key, nil)
}

// DeleteIdle is [Store.Delete] for eviction: it deletes the entry only if nobody holds a lease on
// it and nobody has used it after since; a last use is exact to about an hour. Otherwise the entry
// stays and the error is [ErrInUse], as it is for every entry while the index is rebuilt. A lease
// that is taken at the very moment keeps what it holds, as always.
func (s *Store) DeleteIdle(ctx context.Context, key Key, since time.Time) error {
	return s.delete(ctx, key, &since)
}

func (s *Store) delete(ctx context.Context, key Key, idle *time.Time) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	if s.incomplete() && !s.upkeep.Load() {
		if err := s.finishRebuild(ctx); err != nil && !errors.Is(err, ErrNoSpace) {
			return s.wrap("delete", err)
		}
	}
	o := newOp(frameDelete, &key)
	o.idle = idle
	err := s.commit(o)
	if err != nil {
		return fmt.Errorf("cache: delete %v: %w", key, err)
	}
	s.stats.deletes.Add(1)
	s.traceRecord("delete", &key, &record{})
	return nil
}
