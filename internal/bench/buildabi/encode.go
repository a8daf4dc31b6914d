package buildabi

import (
	"context"
	"errors"
	"fmt"
	"time"

	abi "github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// perOp runs op n times and returns the nanoseconds of one.
func perOp(n int, op func() error) (float64, error) {
	start := time.Now()
	for range n {
		if err := op(); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start)) / float64(n), nil
}

// encodeUpdates encodes a Hello and a change of each step of a build of 255.
func encodeUpdates(env *frame.Env) frame.Case {
	const steps = 255
	took := fmt.Sprintf("encode a change of each of %d steps", steps)
	allocs := took + ", allocations"
	return frame.Case{
		Specs: []frame.Spec{{Name: took, Unit: "ns"}, {Name: allocs, Unit: "allocs", Target: frame.AtMost(0)}},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			updates := make([]abi.StepUpdate, steps)
			for i := range updates {
				updates[i] = abi.StepUpdate{Step: uint32(i), Status: abi.Success}
			}
			var buf []byte
			encode := func() (err error) {
				buf = buf[:0]
				for i := range updates {
					if buf, err = updates[i].AppendBinary(buf); err != nil {
						return err
					}
				}
				return nil
			}
			n := frame.Pick(env, 20_000, 2_000)
			samples, err := frame.Interleave(ctx, env.Rounds(7, 3), func(context.Context) (float64, error) {
				return perOp(n, encode)
			})
			if err != nil {
				return err
			}
			made, err := meter.Allocs(n, func(int) error { return encode() })
			if err != nil {
				return err
			}
			return errors.Join(r.Record(took, samples[0], nil), r.Record(allocs, []float64{made}, nil))
		},
	}
}

// encodeCoverage encodes the update of a program with a million locations, beside a copy of its bits.
func encodeCoverage(env *frame.Env) frame.Case {
	const name = "encode a coverage update of 1,000,000 locations"
	return frame.Case{
		Specs: []frame.Spec{{Name: name, Unit: "ns", Peer: "copy", Target: frame.RatioAtMost(1.2)}},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			update := abi.CoverageUpdate{Runs: 1, UniqueRuns: 1, Covered: abi.NewBits(1_000_000)}
			var ours, theirs []byte
			n := frame.Pick(env, 20_000, 3_000)
			samples, err := frame.Interleave(ctx, env.Rounds(15, 7),
				func(context.Context) (float64, error) {
					return perOp(n, func() (err error) {
						ours, err = update.AppendBinary(ours[:0])
						return err
					})
				},
				func(context.Context) (float64, error) {
					return perOp(n, func() error {
						theirs = append(theirs[:0], update.Covered...)
						return nil
					})
				})
			if err != nil {
				return err
			}
			return r.Record(name, samples[0], samples[1])
		},
	}
}
