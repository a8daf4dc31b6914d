package gobuild

import (
	"context"
	"errors"
	"fmt"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// cold builds a target with empty caches, each time with new ones.
type cold struct {
	programs *programs
	target   *resolved
	rounds   [2]int       // full and quick
	cpu      frame.Target // of our CPU time over that of Go's own cache
}

func (c cold) row(word, peer string) string {
	return fmt.Sprintf("cold build of %s, %s, against %s", c.target.name, word, peer)
}

func (c cold) of() frame.Case {
	var specs []frame.Spec
	for _, peer := range []string{own().name, goCacher().name} {
		each(func(cpu bool, word string) error {
			spec := frame.Spec{Name: c.row(word, peer), Unit: "ms", Peer: peer}
			if cpu && peer == own().name {
				spec.Target = c.cpu
			}
			specs = append(specs, spec)
			return nil
		})
	}
	return frame.Case{Specs: specs, Run: c.run}
}

func (c cold) run(ctx context.Context, r *frame.Recorder) error {
	what, err := c.target.get(ctx, c.programs)
	if err != nil {
		return err
	}
	var lanes []*lane
	var sides []frame.Side
	for _, v := range []variant{own(), ours(), goCacher()} {
		l := &lane{name: v.name}
		lanes = append(lanes, l)
		if v.name == goCacher().name && !c.wants(r, v.name) {
			l.failed = errors.New("not asked for")
		}
		sides = append(sides, l.turn(func(ctx context.Context) (meter.Usage, error) {
			return c.once(ctx, v, what)
		}))
	}
	if _, err := frame.Interleave(ctx, r.Env().Rounds(c.rounds[0], c.rounds[1]), sides...); err != nil {
		return err
	}
	return c.record(r, lanes)
}

// wants reports whether a row against the peer was asked for: a cold build is long.
func (c cold) wants(r *frame.Recorder, peer string) bool {
	return r.Wanted(c.row("wall", peer)) || r.Wanted(c.row("CPU", peer))
}

// once builds with a cache that holds nothing.
func (c cold) once(ctx context.Context, v variant, what work) (meter.Usage, error) {
	dir, remove, err := c.programs.env.TempDir("cold")
	if err != nil {
		return meter.Usage{}, err
	}
	defer remove()
	ready := v.prepare(ctx, c.programs, dir, "")
	if ready.err != nil {
		return meter.Usage{}, ready.err
	}
	usage, _, err := ready.run(ctx, what.dir, what.args()...)
	if err == nil {
		c.programs.env.Log.Printf("gobuild: cold with %s: %.1f s", v.name, usage.Wall.Seconds())
	}
	return usage, err
}

func (c cold) record(r *frame.Recorder, lanes []*lane) error {
	own, ours, cacher := lanes[0], lanes[1], lanes[2]
	return each(func(cpu bool, word string) error {
		return errors.Join(
			record(r, c.row(word, own.name), cpu, ours.samples(cpu), own.samples(cpu), own, ours),
			record(r, c.row(word, cacher.name), cpu, ours.samples(cpu), cacher.samples(cpu), ours, cacher))
	})
}
