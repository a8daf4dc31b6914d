package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/stat"
)

// many is how many goroutines get at once in rows that say "many".
const many = 8

// lookupNames are the rows about getting an artifact without reading its outputs.
type lookupNames struct{ latency, above, allocs, one, many string }

func lookupCase(f *fixtures) frame.Case {
	n := Entries(f.env)
	of := ", " + count(n) + " entries"
	names := lookupNames{
		latency: "index get" + of,
		above:   "index get above badger's" + of,
		allocs:  "index get allocations above badger's" + of,
		one:     "index gets, 1 goroutine" + of,
		many:    fmt.Sprintf("index gets, %d goroutines%s", many, of),
	}
	const theirs = "badger's get"
	return frame.Case{
		Specs: []frame.Spec{
			{Name: names.latency, Unit: "us", Peer: theirs, Target: frame.AtMost(10)},
			{Name: names.above, Unit: "us", Target: frame.AtMost(0.7)},
			{Name: names.allocs, Unit: "allocs", Target: frame.AtMost(2)},
			{Name: names.one, Unit: "gets/s", Peer: theirs, Target: frame.AtLeast(150_000)},
			{Name: names.many, Unit: "gets/s", Peer: theirs, Target: frame.AtLeast(250_000)},
		},
		Run: func(ctx context.Context, r *frame.Recorder) error {
			made, err := f.of(ctx, n)
			if err != nil {
				return err
			}
			found, err := child.Run[looked](ctx, jobLookup, looking{
				Dir: made.dir, Badger: filepath.Join(filepath.Dir(made.dir), "badger"), Entries: n,
				Rounds: f.env.Rounds(15, 5), Gets: frame.Pick(f.env, 100_000, 10_000),
			})
			if err != nil {
				return err
			}
			return found.record(r, names)
		},
	}
}

func (l looked) record(r *frame.Recorder, names lookupNames) error {
	ours, theirs := micros(l.Ours), micros(l.Badger)
	r.Note(names.above, "paired by round")
	r.Note(names.allocs, "%.2f against %.2f", l.OursAllocs, l.BadgerAllocs)
	return errors.Join(
		r.Record(names.latency, ours, theirs),
		r.Record(names.above, stat.Minus(ours, theirs), nil),
		r.Record(names.allocs, []float64{l.OursAllocs - l.BadgerAllocs}, nil),
		r.Record(names.one, l.Ours, l.Badger),
		r.Record(names.many, l.OursMany, l.BadgerMany))
}

// micros turns operations a second of one goroutine into microseconds an operation.
func micros(perSecond []float64) []float64 {
	us := make([]float64, len(perSecond))
	for i, v := range perSecond {
		us[i] = 1e6 / v
	}
	return us
}
