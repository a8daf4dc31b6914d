package ipc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// match compares contenders that take turns. Its rows are its pairs.
type match struct {
	name  string
	size  int  // of a message
	free  bool // processes may use every CPU; else all are on one
	sides []contender
	pairs []pair
}

// contender is one side.
type contender struct {
	name    string // as in rows
	task    string
	callers int // 0 is 1
}

// pair is one row: what is measured of a contender, and beside whom.
type pair struct {
	measure    measure
	ours, peer string // names of contenders; peer may be ""
	target     frame.Target
}

// measure is a figure of a sample.
type measure struct {
	name, unit string
	of         func(sample) float64
}

var (
	wallTime = measure{"", "us", func(s sample) float64 { return micros(s.wall) / s.calls }}
	cpuTime  = measure{"CPU of ", "us", func(s sample) float64 { return micros(s.cpu) / s.calls }}
	rate     = measure{"calls a second, ", "calls/s", func(s sample) float64 {
		return s.calls / s.wall.Seconds()
	}}
	clientAllocs = measure{"client allocations, ", "allocs", func(s sample) float64 {
		return s.clientAllocs
	}}
	serverAllocs = measure{"server allocations, ", "allocs", func(s sample) float64 {
		return s.serverAllocs
	}}
)

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func (m match) row(p pair) string {
	name := fmt.Sprintf("%s%s, %s", p.measure.name, m.name, p.ours)
	if p.peer != "" {
		name += " against " + p.peer
	}
	return name
}

func (m match) of(env *frame.Env) frame.Case {
	var specs []frame.Spec
	for _, p := range m.pairs {
		specs = append(specs, frame.Spec{
			Name: m.row(p), Unit: p.measure.unit, Peer: p.peer, Target: p.target,
		})
	}
	return frame.Case{Specs: specs, Run: func(ctx context.Context, r *frame.Recorder) error {
		return m.run(ctx, env, r)
	}}
}

func (m match) run(ctx context.Context, env *frame.Env, r *frame.Recorder) (err error) {
	if m.free && runtime.NumCPU() < 2 {
		return fmt.Errorf("bench: needs two CPUs, there is %d", runtime.NumCPU())
	}
	period := frame.Pick(env, 200*time.Millisecond, 50*time.Millisecond)
	var stations []*station
	defer func() {
		for _, s := range stations {
			err = errors.Join(err, s.close())
		}
	}()
	var turns []frame.Side
	for _, c := range m.wanted(r) {
		s := openStation(ctx, c, m, period)
		stations = append(stations, s)
		turns = append(turns, s.turn)
	}
	if _, err := frame.Interleave(ctx, env.Rounds(15, 7), turns...); err != nil {
		return err
	}
	for _, p := range m.pairs {
		if err := m.record(r, p, stations); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the sides of the rows that were asked for.
func (m match) wanted(r *frame.Recorder) []contender {
	needed := make(map[string]bool)
	for _, p := range m.pairs {
		if r.Wanted(m.row(p)) {
			needed[p.ours], needed[p.peer] = true, true
		}
	}
	var sides []contender
	for _, c := range m.sides {
		if needed[c.name] {
			sides = append(sides, c)
		}
	}
	return sides
}

func (m match) record(r *frame.Recorder, p pair, stations []*station) error {
	name := m.row(p)
	if !r.Wanted(name) {
		return nil
	}
	ours, peer := stationOf(stations, p.ours), stationOf(stations, p.peer)
	if ours.failed != nil {
		return r.Fail(name, ours.failed)
	}
	if p.peer == "" {
		return r.Record(name, ours.figures(p.measure), nil)
	}
	if peer.failed != nil {
		return r.Fail(name, peer.failed)
	}
	return r.Record(name, ours.figures(p.measure), peer.figures(p.measure))
}

// stationOf returns the contender's station, or nil if it has no name.
func stationOf(stations []*station, name string) *station {
	i := slices.IndexFunc(stations, func(s *station) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return stations[i]
}

func (s *station) figures(m measure) []float64 {
	var figures []float64
	for _, sample := range s.samples {
		figures = append(figures, m.of(sample))
	}
	return figures
}
