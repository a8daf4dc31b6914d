package store

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/peer"
)

const jobOpen = "open"

// small is the size that growth is counted from.
const small = 10_000

type opening struct {
	Dir     string
	Entries int
	Seed    uint64
}

// open returns the milliseconds from Open to the first answer of a random key.
func open(_ context.Context, p opening) (float64, error) {
	key := content.Key(rand.New(rand.NewPCG(p.Seed, 0)).IntN(p.Entries))
	start := time.Now()
	s, err := peer.OpenLarder(p.Dir, nil)
	if err != nil {
		return 0, err
	}
	err = s.Lookup(key)
	elapsed := time.Since(start)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return elapsed.Seconds() * 1e3, err
}

func openCase(f *fixtures) frame.Case {
	n := Entries(f.env)
	smallName := fmt.Sprintf("open to first get, %s entries", count(small))
	largeName := fmt.Sprintf("open to first get, %s entries", count(n))
	growth := fmt.Sprintf("open to first get, growth from %s to %s entries", count(small), count(n))
	logarithmic := math.Log(float64(n)) / math.Log(small)
	specs := []frame.Spec{
		{Name: smallName, Unit: "ms", Target: frame.AtMost(50)},
		{Name: largeName, Unit: "ms", Target: frame.AtMost(50)},
		{Name: growth, Unit: "ms", Peer: "ours at " + count(small),
			Target: frame.RatioAtMost(math.Ceil(logarithmic*100) / 100)},
	}
	if n == small {
		specs = specs[:1]
	}
	return frame.Case{Specs: specs, Run: func(ctx context.Context, r *frame.Recorder) error {
		samples, err := openBoth(ctx, f, n)
		if err != nil {
			return err
		}
		if err := r.Record(smallName, samples[0], nil); err != nil || n == small {
			return err
		}
		if err := r.Record(largeName, samples[1], nil); err != nil {
			return err
		}
		return r.Record(growth, samples[1], samples[0])
	}}
}

// openBoth measures both sizes in turn, each time in a new process, from files in the page cache.
func openBoth(ctx context.Context, f *fixtures, n int) ([][]float64, error) {
	seed := uint64(0)
	side := func(size int) frame.Side {
		return func(ctx context.Context) (float64, error) {
			made, err := f.of(ctx, size)
			if err != nil {
				return 0, err
			}
			seed++
			return child.Run[float64](ctx, jobOpen, opening{made.dir, size, seed})
		}
	}
	return frame.Interleave(ctx, f.env.Rounds(15, 7), side(small), side(n))
}
