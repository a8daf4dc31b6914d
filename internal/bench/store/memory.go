package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/peer"
)

const jobMemory = "memory"

type remembering struct {
	Dir     string
	Entries int
	Gets    int
}

// remembered is the whole process' anonymous memory in bytes, the Go runtime included.
type remembered struct{ AfterOpen, AfterGets int64 }

func memory(ctx context.Context, p remembering) (result remembered, err error) {
	s, err := peer.OpenLarder(p.Dir, nil)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m, err := meter.ReadMemory()
	if err != nil {
		return result, err
	}
	result.AfterOpen = m.Anonymous
	random := rand.New(rand.NewPCG(1, 2))
	_, _, err = meter.Rate(ctx, meter.Load{Count: p.Gets}, func(int) error {
		return s.Lookup(content.Key(random.IntN(p.Entries)))
	})
	if err != nil {
		return result, err
	}
	m, err = meter.ReadMemory()
	result.AfterGets = m.Anonymous
	return result, err
}

// memoryBound is the bound in MB for a store of n entries.
func memoryBound(n int) float64 {
	if n <= 1_000_000 {
		return 150
	}
	return 400
}

func memoryCase(f *fixtures) frame.Case {
	n, gets := Entries(f.env), frame.Pick(f.env, 1_000_000, 100_000)
	opened := fmt.Sprintf("anonymous memory after open, %s entries", count(n))
	got := fmt.Sprintf("anonymous memory after open and %s random gets, %s entries", count(gets), count(n))
	peak := fmt.Sprintf("peak anonymous memory while loading %s entries", count(n))
	bound := memoryBound(n)
	return frame.Case{
		Specs: []frame.Spec{
			{Name: opened, Unit: "MB", Target: frame.AtMost(bound)},
			{Name: got, Unit: "MB", Target: frame.AtMost(bound)},
			{Name: peak, Unit: "MB", Target: frame.AtMost(2 * bound)},
		},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			made, err := f.of(ctx, n)
			if err != nil {
				return err
			}
			if err := recordPeak(r, peak, made.loaded); err != nil {
				return err
			}
			if !r.Wanted(opened) && !r.Wanted(got) {
				return nil
			}
			return recordMemory(ctx, r, opened, got, remembering{made.dir, n, gets})
		},
	}
}

func recordPeak(r *frame.Recorder, name string, l loaded) error {
	if l.MemoryError != "" {
		return r.Fail(name, errors.New(l.MemoryError))
	}
	r.Note(name, "loaded at %.0f entries/s by %d putters", l.PerSecond, loaders)
	return r.Record(name, []float64{meter.MB(l.PeakAnonymous)}, nil)
}

func recordMemory(ctx context.Context, r *frame.Recorder, opened, got string, p remembering) error {
	var afterOpen, afterGets []float64
	for range r.Env().Rounds(3, 1) {
		m, err := child.Run[remembered](ctx, jobMemory, p)
		if err != nil {
			return err
		}
		afterOpen = append(afterOpen, meter.MB(m.AfterOpen))
		afterGets = append(afterGets, meter.MB(m.AfterGets))
	}
	return errors.Join(r.Record(opened, afterOpen, nil), r.Record(got, afterGets, nil))
}
