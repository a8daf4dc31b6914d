package gobuild

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/goprog"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/stat"
)

// warm builds a target again and again with caches that have all of it.
type warm struct {
	programs *programs
	target   *resolved
	rounds   [2]int       // full and quick
	wall     frame.Target // of our wall time over that of Go's own cache
	added    frame.Target // of what we add to Go's own cache over what go-cacher adds
}

func (w warm) total(word string) string {
	return fmt.Sprintf("warm build of %s, %s", w.target.name, word)
}

// addedTo names what is added to the time of Go's own cache.
func (w warm) addedTo(word, peer string) string {
	return fmt.Sprintf("warm build of %s, added %s, against %s", w.target.name, word, peer)
}

func (w warm) of() frame.Case {
	var specs []frame.Spec
	each(func(cpu bool, word string) error {
		total := frame.Spec{Name: w.total(word), Unit: "ms", Peer: own().name}
		if !cpu {
			total.Target = w.wall
		}
		specs = append(specs, total,
			frame.Spec{Name: w.addedTo(word, goCacher().name), Unit: "ms", Peer: goCacher().name, Target: w.added},
			frame.Spec{Name: w.addedTo(word, floor().name), Unit: "ms", Peer: floor().name})
		return nil
	})
	return frame.Case{Specs: specs, Run: w.run}
}

func (w warm) run(ctx context.Context, r *frame.Recorder) error {
	dir, remove, err := r.Env().TempDir("warm")
	if err != nil {
		return err
	}
	defer remove()
	what, err := w.target.get(ctx, w.programs)
	if err != nil {
		return err
	}
	table, err := recordBuild(ctx, w.programs, what)
	if err != nil {
		return err
	}
	lanes, err := w.race(ctx, dir, what, table)
	if err != nil {
		return err
	}
	r.Note(w.total("wall"), "%d actions", table.Len())
	return w.record(r, lanes)
}

// race fills every variant, builds once with each to see that nothing is compiled, and then measures.
func (w warm) race(ctx context.Context, dir string, what work, table *recording) ([]*lane, error) {
	var lanes []*lane
	var sides []frame.Side
	for _, v := range []variant{own(), ours(), goCacher(), floor()} {
		l := &lane{name: v.name}
		ready := v.prepare(ctx, w.programs, dir, table.dir)
		if l.failed = ready.err; l.failed == nil {
			l.failed = ready.warmUp(ctx, what, table.Table)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		lanes = append(lanes, l)
		sides = append(sides, l.turn(func(ctx context.Context) (meter.Usage, error) {
			usage, _, err := ready.run(ctx, what.dir, what.args()...)
			return usage, err
		}))
	}
	rounds := w.programs.env.Rounds(w.rounds[0], w.rounds[1])
	w.programs.env.Log.Printf("gobuild: %d rounds", rounds)
	_, err := frame.Interleave(ctx, rounds, sides...)
	return lanes, err
}

func (r ready) warmUp(ctx context.Context, what work, table *goprog.Table) error {
	if err := r.fill(ctx, table); err != nil {
		return err
	}
	_, said, err := r.run(ctx, what.dir, what.args("-v")...)
	if err != nil {
		return err
	}
	if compiled := strings.Fields(said); len(compiled) > 0 {
		return fmt.Errorf("the warm build was not warm, it compiled: %s", short(said))
	}
	return nil
}

func (w warm) record(r *frame.Recorder, lanes []*lane) error {
	own, ours, cacher, floor := lanes[0], lanes[1], lanes[2], lanes[3]
	return each(func(cpu bool, word string) error {
		base := own.samples(cpu)
		added := stat.Minus(ours.samples(cpu), base)
		return errors.Join(
			record(r, w.total(word), cpu, ours.samples(cpu), base, own, ours),
			record(r, w.addedTo(word, cacher.name), cpu, added,
				stat.Minus(cacher.samples(cpu), base), own, ours, cacher),
			record(r, w.addedTo(word, floor.name), cpu, added,
				stat.Minus(floor.samples(cpu), base), own, ours, floor))
	})
}
