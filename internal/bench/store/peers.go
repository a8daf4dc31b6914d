package store

import (
	"context"
	"fmt"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/peer"
)

// Sizes from which on a value is no longer small, and is large.
const (
	smallest = 256
	smallTo  = 1 << 10
	largest  = 4 << 20
)

// meeting compares ours with every peer at one size and in one mode.
type meeting struct {
	size    int
	mode    peer.Mode
	withGet bool
	n       int // values
	pool    func() *content.Pool
}

// peerCases compare all sizes with one putter and no syncing, gets included; small ones also
// with many putters; and two sizes with every put synced.
func peerCases(env *frame.Env, pool func() *content.Pool) []frame.Case {
	var cases []frame.Case
	for _, size := range []int{smallest, smallTo, 16 << 10, 64 << 10, 1 << 20, largest} {
		cases = append(cases, meeting{
			size: size, mode: peer.Mode{Putters: 1}, withGet: true, n: values(env, size), pool: pool,
		}.of(env))
	}
	for _, size := range []int{smallest, smallTo} {
		cases = append(cases, meeting{
			size: size, mode: peer.Mode{Putters: 64}, n: values(env, size), pool: pool,
		}.of(env))
	}
	for _, size := range []int{smallTo, 64 << 10} {
		for _, n := range []int{1, 64} {
			cases = append(cases, meeting{
				size: size, mode: peer.Mode{Putters: n, Durable: true},
				n: frame.Pick(env, 2000, 100) * min(n, 4), pool: pool,
			}.of(env))
		}
	}
	return cases
}

// values is how many values of a size are put: as many bytes at all sizes, but for the
// small ones, whose number is bounded.
func values(env *frame.Env, size int) int {
	bytes := frame.Pick(env, 256<<20, 32<<20)
	return min(bytes/size, frame.Pick(env, 20_000, 2000))
}

func (m meeting) row(verb, kind string) string {
	name := fmt.Sprintf("%s %s", verb, bytesText(m.size))
	if verb == "put" {
		name += ", " + putters(m.mode.Putters)
	}
	if m.mode.Durable {
		name += ", synced"
	}
	return name + ", against " + kind
}

// target is what the design asks: ahead of all with small values, at most a tenth behind files with others.
func (m meeting) target(kind string) frame.Target {
	switch {
	case m.size <= smallTo:
		return frame.RatioAtLeast(1)
	case kind == peer.Files().Name:
		return frame.RatioAtLeast(0.9)
	default:
		return frame.Target{}
	}
}

func (m meeting) kinds() []peer.Kind {
	var kinds []peer.Kind
	for _, k := range peer.Kinds() {
		if k.CanSync || !m.mode.Durable {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func (m meeting) verbs() []string {
	if m.withGet {
		return []string{"put", "get"}
	}
	return []string{"put"}
}

func (m meeting) of(env *frame.Env) frame.Case {
	var specs []frame.Spec
	for _, verb := range m.verbs() {
		for _, k := range m.kinds() {
			specs = append(specs, frame.Spec{
				Name: m.row(verb, k.Name), Unit: verb + "s/s", Peer: k.Name, Target: m.target(k.Name),
			})
		}
	}
	return frame.Case{Specs: specs, Run: func(ctx context.Context, r *frame.Recorder) error {
		return m.run(ctx, env, r)
	}}
}

// run gives every side a turn a round. A peer that fails loses its rows; ours failing ends the case.
func (m meeting) run(ctx context.Context, env *frame.Env, r *frame.Recorder) error {
	ours := newContender(peer.Ours(), m)
	rivals := m.rivals(r)
	var sides []frame.Side
	for _, c := range append([]*contender{ours}, rivals...) {
		sides = append(sides, c.turn(env))
	}
	if _, err := frame.Interleave(ctx, env.Rounds(5, 3), sides...); err != nil {
		return err
	}
	if ours.failed != nil {
		return ours.failed
	}
	for _, c := range rivals {
		if err := m.record(r, ours, c); err != nil {
			return err
		}
	}
	return nil
}

func (m meeting) rivals(r *frame.Recorder) []*contender {
	var rivals []*contender
	for _, k := range m.kinds() {
		for _, verb := range m.verbs() {
			if r.Wanted(m.row(verb, k.Name)) {
				rivals = append(rivals, newContender(k, m))
				break
			}
		}
	}
	return rivals
}

func (m meeting) record(r *frame.Recorder, ours, c *contender) error {
	for _, verb := range m.verbs() {
		name, a, b := m.row(verb, c.kind.Name), ours.puts, c.puts
		if verb == "get" {
			a, b = ours.gets, c.gets
		}
		var err error
		if c.failed != nil {
			err = r.Fail(name, c.failed)
		} else {
			err = r.Record(name, a, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
