package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/larderbuild/larder/cache"
)

// keepFor is how long a path that a go command was told of stays valid: 24 hours, and one
// more because a store notes last uses to about an hour.
const keepFor = 25 * time.Hour

func runPrune(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	limit := size(-1)
	flags.Var(&limit, "max-bytes", "leave at most so many `bytes`")
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	if limit < 0 {
		return exitUsage, fmt.Errorf("%w: -max-bytes is required", errUsage)
	}
	return c.onStore(*dir, (*reach).ensure, func(ctx context.Context, _ string, s *cache.Store) (int, error) {
		done, err := prune(ctx, s, int64(limit), time.Now())
		_, said := fmt.Fprintf(c.stdout, "%d outputs deleted, %s freed; %d outputs, %s left\n",
			done.deleted, formatBytes(done.freed), s.Stats().Entries, formatBytes(held(s)))
		err = errors.Join(err, said)
		if left := held(s); err == nil && left > int64(limit) {
			fmt.Fprintf(c.stdout, "More than %s is left: the rest is in use or was used within a day.\n", formatBytes(int64(limit)))
		}
		return exitOK, err
	})
}

// pruned is what a prune has done.
type pruned struct{ deleted, freed int64 }

// prune deletes what was used longest ago until the store holds at most limit bytes.
func prune(ctx context.Context, s *cache.Store, limit int64, now time.Time) (done pruned, err error) {
	before := held(s)
	if before <= limit {
		return done, nil
	}
	old, err := candidates(ctx, s, now.Add(-keepFor))
	if err != nil {
		return done, err
	}
	for _, e := range old {
		if held(s) <= limit {
			break
		}
		err = s.DeleteIdle(ctx, e.key, now.Add(-keepFor))
		switch {
		case err == nil:
			done.deleted++
		case !errors.Is(err, cache.ErrNotFound) && !errors.Is(err, cache.ErrInUse): // else meanwhile
			done.freed = before - held(s)
			return done, err
		}
	}
	done.freed = before - held(s)
	return done, nil
}

// candidate is an entry that may go.
type candidate struct {
	key  cache.Key
	used time.Time
}

// candidates lists the entries that nobody holds and nobody has used since a time, those
// used longest ago first.
func candidates(ctx context.Context, s *cache.Store, since time.Time) (list []candidate, err error) {
	for e, err := range s.All(ctx) {
		if err != nil {
			return nil, err
		}
		if !e.Leased && e.LastUse.Before(since) {
			list = append(list, candidate{e.Key, e.LastUse})
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(a.used.Compare(b.used), slices.Compare(a.key[:], b.key[:]))
	})
	return list, nil
}

// held is how many bytes a store holds, without what its log can give back by itself.
func held(s *cache.Store) int64 {
	st := s.Stats()
	return st.PayloadBytes + st.LiveBytes
}
