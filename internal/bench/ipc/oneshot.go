package ipc

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/echo"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/machine"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/stat"
)

const (
	rowOneShot      = "process of a client that makes one call"
	rowOneShotAbove = "process of a client that makes one call, above an empty program"
)

// oneShotCase has whole processes, from start to end, with the default build.
func oneShotCase(env *frame.Env) frame.Case {
	return frame.Case{
		Specs: []frame.Spec{
			{Name: rowOneShot, Unit: "ms", Peer: "empty program"},
			{Name: rowOneShotAbove, Unit: "ms", Target: frame.AtMost(0.3)},
		},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			return runOneShot(ctx, env, r, 40)
		},
	}
}

func runOneShot(ctx context.Context, env *frame.Env, r *frame.Recorder, runs int) (err error) {
	built, removeBuilt, err := programs(ctx, env, oneShotPkg, emptyPkg)
	if err != nil {
		return err
	}
	defer removeBuilt()
	dir, remove, err := socketDir()
	if err != nil {
		return err
	}
	defer remove()
	p := calling{Task: taskEcho + echo.Lockstep, Dir: dir}
	server, err := child.Start(ctx, jobServe, p, machine.OnOneCPU)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if _, err := child.Ask[meter.Self](server, nil); err != nil { // it listens
		return err
	}
	samples, err := frame.Interleave(ctx, env.Rounds(15, 3),
		processes(runs, built[0], dir), processes(runs, built[1]))
	if err != nil {
		return err
	}
	r.Note(rowOneShotAbove, "paired by round")
	return errors.Join(
		r.Record(rowOneShot, samples[0], samples[1]),
		r.Record(rowOneShotAbove, stat.Minus(samples[0], samples[1]), nil))
}

// processes runs a program some times and returns the median of the times in ms.
func processes(runs int, program string, args ...string) frame.Side {
	return func(ctx context.Context) (float64, error) {
		var times []float64
		for range runs {
			cmd := exec.CommandContext(ctx, program, args...)
			start := time.Now()
			err := machine.OnOneCPU(func() error {
				_, err := output(cmd)
				return err
			})
			if err != nil {
				return 0, err
			}
			times = append(times, float64(time.Since(start).Microseconds())/1e3)
		}
		return stat.Of(times).Median, nil
	}
}
