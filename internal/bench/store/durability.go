package store

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/larderbuild/larder/cache"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/peer"
)

// lane is one way of putting, in a duel with another. Its name is the peer's in the row; the first
// lane needs none.
type lane struct {
	name    string
	putters int
	open    func(dir string) (peer.Store, error)
}

func ours(name string, d cache.Durability, putters int) lane {
	return lane{name: name, putters: putters, open: func(dir string) (peer.Store, error) {
		return peer.OpenLarder(dir, &cache.Options{Durability: d})
	}}
}

func durableFiles(putters int) lane {
	return lane{name: "files, same fsyncs", putters: putters, open: func(dir string) (peer.Store, error) {
		return peer.Files().Open(dir, peer.Mode{Durable: true, Putters: putters})
	}}
}

// duel compares the rates of two lanes that put values of one size into empty stores.
type duel struct {
	name   string
	size   int
	a, b   lane
	target frame.Target
}

func durabilityCases(env *frame.Env, pool func() *content.Pool) []frame.Case {
	const workers = 64
	var duels []duel
	for _, n := range []int{1, workers} {
		duels = append(duels, duel{
			name: fmt.Sprintf("put 1 KiB, %s, Group against None", putters(n)), size: 1 << 10,
			a: ours("", cache.Group, n), b: ours("ours with None", cache.None, n), target: frame.RatioAtLeast(0.8),
		})
	}
	for _, size := range []int{256, 1 << 10} {
		duels = append(duels, duel{
			name: fmt.Sprintf("put %s, Always, 64 putters against 1", bytesText(size)), size: size,
			a: ours("", cache.Always, workers), b: ours("ours with 1 putter", cache.Always, 1), target: frame.RatioAtLeast(10),
		})
	}
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20} {
		duels = append(duels, duel{
			name: fmt.Sprintf("put %s, Always, 64 putters against files", bytesText(size)), size: size,
			a: ours("", cache.Always, workers), b: durableFiles(workers), target: frame.RatioAtLeast(0.9),
		})
	}
	var cases []frame.Case
	for _, d := range duels {
		cases = append(cases, d.of(env, pool))
	}
	return cases
}

func (d duel) of(env *frame.Env, pool func() *content.Pool) frame.Case {
	spec := frame.Spec{Name: d.name, Unit: "puts/s", Peer: d.b.name, Target: d.target}
	return frame.Case{
		Specs: []frame.Spec{spec},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			samples, err := frame.Interleave(ctx, env.Rounds(5, 3),
				d.side(env, d.a, pool()), d.side(env, d.b, pool()))
			if err != nil {
				return err
			}
			return r.Record(d.name, samples[0], samples[1])
		},
	}
}

// most is how many bytes one round of a lane may write.
const most = 512 << 20

func (d duel) side(env *frame.Env, l lane, pool *content.Pool) frame.Side {
	load := meter.Load{
		Workers: l.putters, Count: most / d.size,
		For: frame.Pick(env, 2*time.Second, 100*time.Millisecond),
	}
	return func(ctx context.Context) (perSecond float64, err error) {
		dir, remove, err := env.TempDir("duel")
		if err != nil {
			return 0, err
		}
		defer remove()
		s, err := l.open(filepath.Join(dir, "root"))
		if err != nil {
			return 0, err
		}
		_, perSecond, err = meter.Rate(ctx, load, func(i int) error {
			return s.Put(content.Key(i), pool.Value(i, d.size))
		})
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
		return perSecond, err
	}
}
