package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/peer"
)

// contender is one kind of store in a meeting, with its samples so far.
type contender struct {
	meeting
	kind       peer.Kind
	stored     int // values of the last round
	puts, gets []float64
	failed     error // its turns are over
}

func newContender(k peer.Kind, m meeting) *contender {
	return &contender{meeting: m, kind: k}
}

// turn fills an empty store and reads it back after it was opened anew. The store's own failure
// is kept for its rows; only the end of the context ends the case.
func (c *contender) turn(env *frame.Env) frame.Side {
	return func(ctx context.Context) (float64, error) {
		if c.failed != nil {
			return 0, nil
		}
		dir, remove, err := env.TempDir("meeting")
		if err != nil {
			return 0, err
		}
		defer remove()
		c.failed = c.fill(ctx, env, filepath.Join(dir, "root"))
		if c.failed == nil && c.withGet {
			c.failed = c.read(ctx, env, filepath.Join(dir, "root"))
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if c.failed != nil {
			c.failed = fmt.Errorf("%s: %w", c.kind.Name, c.failed)
		}
		return 0, nil
	}
}

// patience is the longest time of one round: a store that is slower has fewer values to show.
func patience(env *frame.Env) time.Duration {
	return frame.Pick(env, 10*time.Second, 100*time.Millisecond)
}

func (c *contender) fill(ctx context.Context, env *frame.Env, dir string) error {
	s, err := c.kind.Open(dir, c.mode)
	if err != nil {
		return err
	}
	pool := c.pool()
	load := meter.Load{Workers: c.mode.Putters, Count: c.n, For: patience(env)}
	n, perSecond, err := meter.Rate(ctx, load, func(i int) error {
		return s.Put(content.Key(i), pool.Value(i, c.size))
	})
	c.stored = n
	c.puts = append(c.puts, perSecond)
	return errors.Join(err, s.Close())
}

func (c *contender) read(ctx context.Context, env *frame.Env, dir string) error {
	s, err := c.kind.Open(dir, c.mode)
	if err != nil {
		return err
	}
	order := rand.New(rand.NewPCG(5, 6)).Perm(c.stored)
	load := meter.Load{Count: c.stored, For: patience(env)}
	_, perSecond, err := meter.Rate(ctx, load, func(i int) error {
		i = order[i]
		value, err := s.Get(content.Key(i))
		if err == nil && !c.looksRight(i, value) {
			err = fmt.Errorf("get of key %d: other bytes than were put", i)
		}
		return err
	})
	c.gets = append(c.gets, perSecond)
	return errors.Join(err, s.Close())
}

// looksRight compares the length and the ends only: more would be measured too.
func (c *contender) looksRight(i int, value []byte) bool {
	want := c.pool().Value(i, c.size)
	const end = 64
	return len(value) == len(want) && bytes.Equal(value[:end], want[:end]) &&
		bytes.Equal(value[len(value)-end:], want[len(want)-end:])
}
