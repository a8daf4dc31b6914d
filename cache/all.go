package cache

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/larderbuild/larder/cache/internal/index"
)

// All yields every entry, in no order. It is a live view: an entry that is put or deleted meanwhile
// may be seen or not; every other one is seen exactly once. The body may call the store; nothing is
// held while it runs. An error is yielded last and means that entries may be missing.
func (s *Store) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := s.begin(ctx); err != nil {
			yield(Entry{}, err)
			return
		}
		defer s.end()
		if s.incomplete() {
			if err := s.finishRebuild(ctx); err != nil {
				yield(Entry{}, s.wrap("list", err))
				return
			}
		}
		if err := s.each(ctx, func(key *Key, r *record) bool {
			e := entryOf(*key, r, s.shard(key).leased(key))
			e.LastUse = s.lastUse(key, r)
			return yield(e, nil)
		}); err != nil {
			yield(Entry{}, s.wrap("list", err))
		}
	}
}

// each calls visit for every entry until it returns false: first for what is not in the index yet,
// then for the index.
func (s *Store) each(ctx context.Context, visit func(*Key, *record) bool) error {
	begun, whole := s.lastRebuild.Load(), !s.incomplete()
	fresh := s.freshRecords()
	for key, r := range fresh {
		if r != nil && !visit(&key, r) {
			return nil
		}
	}
	var after *Key
	for {
		keys, recs, err := s.page(after)
		if err != nil {
			return err
		}
		for i := range keys {
			if _, seen := fresh[keys[i]]; seen {
				continue
			}
			had, err := s.current(&keys[i], &recs[i])
			if err != nil {
				return err
			}
			if had && !visit(&keys[i], &recs[i]) {
				return nil
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(keys) < pageSize {
			if !whole || s.incomplete() || s.lastRebuild.Load() != begun { // a rebuild that has ended hid entries too
				return fmt.Errorf("the index is being rebuilt: %w", index.ErrDamaged)
			}
			return nil
		}
		after = &keys[len(keys)-1]
	}
}

// freshRecords copies what is not in the index yet.
func (s *Store) freshRecords() map[Key]*record {
	m := map[Key]*record{}
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		maps.Copy(m, sh.flushing)
		maps.Copy(m, sh.fresh)
		sh.mu.Unlock()
	}
	return m
}

// pageSize bounds how long a walk keeps the index from being parked or replaced.
const pageSize = 512

// page reads the next records of the index: those behind a key, or the first ones when it is nil.
func (s *Store) page(after *Key) (keys []Key, recs []record, err error) {
	var start []byte
	if after != nil {
		last := indexKey(prefixArtifact, (*[32]byte)(after))
		start = append(last[:], 0) // the least key above
	}
	err = s.withIndex(func(ix index.Index) error {
		for op, err := range ix.Scan([]byte{prefixArtifact}, start) {
			if err != nil {
				return err
			}
			var r record
			if len(op.Key) != 33 || parseRecord(op.Key, op.Value, &r) != nil {
				s.distrust(fmt.Errorf("record %x: %w", op.Key, errRecord))
				continue
			}
			keys, recs = append(keys, Key(op.Key[1:])), append(recs, r)
			if len(keys) == pageSize {
				break
			}
		}
		return nil
	})
	return keys, recs, err
}
