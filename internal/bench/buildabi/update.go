package buildabi

import (
	"context"
	"errors"
	"fmt"
	"time"

	abi "github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/internal/bench/frame"
)

const boardSteps = 1000

// watched does what is to be measured to a build while clients look on.
func watched(ctx context.Context, clients []*client, do func(*abi.Build) error) error {
	board := abi.NewBoard(nil)
	build := board.StartBuild(names(boardSteps)...)
	stop := show(ctx, board, clients...)
	return errors.Join(do(build), stop())
}

// updateCase changes steps without pause while clients look on.
func updateCase(env *frame.Env, clients int) frame.Case {
	name := fmt.Sprintf("step update, %d clients", clients)
	return frame.Case{
		Specs: []frame.Spec{{Name: name, Unit: "ns", Target: frame.AtMost(100)}},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			var samples [][]float64
			err := watched(ctx, readers(clients), func(build *abi.Build) (err error) {
				i := 0
				samples, err = frame.Interleave(ctx, env.Rounds(9, 3), func(context.Context) (float64, error) {
					return perOp(frame.Pick(env, 2_000_000, 200_000), func() error {
						i++
						return build.SetStep(i%boardSteps, abi.StepStatus(1+i/boardSteps%3))
					})
				})
				return err
			})
			if err != nil {
				return err
			}
			return r.Record(name, samples[0], nil)
		},
	}
}

// drive makes updates at a rate for a time.
func drive(ctx context.Context, build *abi.Build, perSecond int, period time.Duration) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for i := range int(period * time.Duration(perSecond) / time.Second) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := build.SetStep(i%boardSteps, abi.StepStatus(1+i/boardSteps%3)); err != nil {
			return err
		}
	}
	return nil
}

// loadCase lets 100 clients follow 1,000 updates a second. What waking for the updates costs is in
// it, so the same updates without a client stand beside it.
func loadCase(env *frame.Env) frame.Case {
	const name = "CPU of 100 clients at 1,000 updates a second"
	return frame.Case{
		Specs: []frame.Spec{{Name: name, Unit: "% of a core", Peer: "no client", Target: frame.AtMost(10)}},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			period := frame.Pick(env, 3*time.Second, 500*time.Millisecond)
			side := func(clients int) frame.Side {
				return func(ctx context.Context) (percent float64, err error) {
					err = watched(ctx, readers(clients), func(build *abi.Build) error {
						start, before := time.Now(), cpuTime()
						err := drive(ctx, build, 1000, period)
						percent = 100 * float64(cpuTime()-before) / float64(time.Since(start))
						return err
					})
					return percent, err
				}
			}
			samples, err := frame.Interleave(ctx, env.Rounds(5, 2), side(100), side(0))
			if err != nil {
				return err
			}
			r.Note(name, "connections that take everything at once; a socket's own cost is not in it")
			return r.Record(name, samples[0], samples[1])
		},
	}
}

// stalledCase compares what a client gets beside one that has stopped reading with what it gets alone.
func stalledCase(env *frame.Env) frame.Case {
	const name = "passes to a client beside one that stopped reading"
	return frame.Case{
		Specs: []frame.Spec{{Name: name, Unit: "passes/s", Peer: "alone", Target: frame.RatioAtLeast(0.9)}},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			period := frame.Pick(env, 2*time.Second, 500*time.Millisecond)
			side := func(others ...*client) frame.Side {
				return func(ctx context.Context) (perSecond float64, err error) {
					c := new(client)
					err = watched(ctx, append(others, c), func(build *abi.Build) error {
						err := drive(ctx, build, 1000, period)
						perSecond = float64(c.passes.Load()) / period.Seconds()
						return err
					})
					return perSecond, err
				}
			}
			samples, err := frame.Interleave(ctx, env.Rounds(5, 2), side(&client{stalled: true}), side())
			if err != nil {
				return err
			}
			return r.Record(name, samples[0], samples[1])
		},
	}
}
