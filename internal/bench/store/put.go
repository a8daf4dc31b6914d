package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// flat is how much the peak resident size may grow in MB while payloads of 4 MiB go through:
// four of them, whatever their number.
const flat = 16

// putRow is a put of one size with the default options, held to a rate.
type putRow struct {
	size, putters int
	bound         float64
	full, quick   time.Duration
	maxBytes      int // of the full run; a quick one takes an eighth
	memory        bool
}

func putCases(env *frame.Env) []frame.Case {
	rows := []putRow{
		{size: 1 << 10, putters: 1, bound: 40_000, full: 30 * time.Second, quick: time.Second},
		{size: 1 << 10, putters: 64, bound: 40_000, full: 30 * time.Second, quick: time.Second},
		{size: 64 << 10, putters: 1, bound: 1400, full: 10 * time.Second, quick: time.Second / 2,
			maxBytes: 4 << 30, memory: true},
		{size: 4 << 20, putters: 1, bound: 270, full: 10 * time.Second, quick: time.Second / 2,
			maxBytes: 8 << 30, memory: true},
	}
	var cases []frame.Case
	for _, row := range rows {
		cases = append(cases, row.of(env))
	}
	return cases
}

func (p putRow) of(env *frame.Env) frame.Case {
	length := frame.Pick(env, p.full, p.quick)
	subject := fmt.Sprintf("put %s, default options, %s, %v", bytesText(p.size), putters(p.putters), length)
	rate, growth := subject, "growth of peak memory, "+subject
	specs := []frame.Spec{{Name: rate, Unit: "puts/s", Target: frame.AtLeast(p.bound)}}
	if p.memory {
		specs = append(specs, frame.Spec{Name: growth, Unit: "MB", Target: frame.AtMost(flat)})
	}
	return frame.Case{Specs: specs, Run: func(ctx context.Context, r *frame.Recorder) error {
		w, err := p.run(ctx, env, length)
		if err != nil {
			return err
		}
		r.Note(rate, "%d keys, all read back after closing", w.Puts)
		if err := r.Record(rate, []float64{w.PerSecond}, nil); err != nil || !p.memory {
			return err
		}
		if w.MemoryError != "" {
			return r.Fail(growth, errors.New(w.MemoryError))
		}
		return r.Record(growth, []float64{meter.MB(w.Growth)}, nil)
	}}
}

func (p putRow) run(ctx context.Context, env *frame.Env, length time.Duration) (written, error) {
	dir, remove, err := env.TempDir("put")
	if err != nil {
		return written{}, err
	}
	defer remove()
	return child.Run[written](ctx, jobPut, putting{
		Dir: filepath.Join(dir, "root"), Size: p.size, Putters: p.putters, For: length,
		MaxBytes: frame.Pick(env, p.maxBytes, p.maxBytes/8),
	})
}
