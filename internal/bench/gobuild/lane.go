package gobuild

import (
	"context"
	"errors"
	"fmt"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// lane collects the samples of one variant in milliseconds, one a round.
type lane struct {
	name      string
	wall, cpu []float64
	cpuErr    error // why CPU times are not known
	failed    error // its turns are over
}

// turn runs build once and keeps what it took. The variant's own failure stays in the lane; only the
// end of the context ends the rounds.
func (l *lane) turn(build func(context.Context) (meter.Usage, error)) frame.Side {
	return func(ctx context.Context) (float64, error) {
		if l.failed != nil {
			return 0, nil
		}
		usage, err := build(ctx)
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if err != nil {
			l.failed = fmt.Errorf("with %s: %w", l.name, err)
			return 0, nil
		}
		l.cpuErr = usage.CPUErr
		l.wall = append(l.wall, usage.Wall.Seconds()*1e3)
		l.cpu = append(l.cpu, usage.CPU.Seconds()*1e3)
		return 0, nil
	}
}

// samples are the wall or the CPU times.
func (l *lane) samples(cpu bool) []float64 {
	if cpu {
		return l.cpu
	}
	return l.wall
}

// record gives a row its figures, or the reason of the first of the lanes it needs that has none.
func record(r *frame.Recorder, name string, cpu bool, ours, peer []float64, needs ...*lane) error {
	for _, l := range needs {
		if l.failed != nil {
			return r.Fail(name, l.failed)
		}
		if cpu && l.cpuErr != nil {
			return r.Fail(name, l.cpuErr)
		}
	}
	return r.Record(name, ours, peer)
}

// each calls f for wall and for CPU, with the word for row names.
func each(f func(cpu bool, word string) error) error {
	return errors.Join(f(false, "wall"), f(true, "CPU"))
}
