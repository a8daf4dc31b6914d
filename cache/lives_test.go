package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// TestLivesWithFaults is TestLifeWithFaults of many at a time in one store, whose changes are committed together and whose
// content is the same.
func TestLivesWithFaults(t *testing.T) {
	rng := testkit.Rand(t)
	for range 40 * faultLives * faultLives {
		cause, d := []error{errIO, errFull}[rng.IntN(2)], []Durability{Always, Group, None}[rng.IntN(3)]
		r := newFaultRun(1<<30, 1+rng.IntN(8), cause, d)
		r.whole = rng.IntN(2) == 0
		var err error
		if r.store, err = open(t.Context(), crashRoot, r.opt, r.seams(r.fault, &r.index)); err != nil {
			t.Fatal(err)
		}
		r.first = r.fault.Calls() + 1 + rng.IntN(600)
		ctx, cancel := context.WithCancel(t.Context())
		upkeep := make(chan error, 1)
		if rng.IntN(2) == 0 {
			go func() { upkeep <- r.store.Run(ctx) }()
		} else {
			upkeep <- nil
		}
		err = r.together(rng.Uint64())
		cancel()
		if rerr := <-upkeep; !errors.Is(rerr, context.Canceled) {
			err = errors.Join(err, rerr)
		}
		if err = errors.Join(err, r.close()); err != nil {
			t.Fatalf("durability %v, %v: %q: %v", d, cause, r.failed.list(), err)
		}
		r.judge()
		if !r.survived(t, rng) {
			t.Fatalf("durability %v, %v: %q", d, cause, r.failed.list())
		}
	}
}

// together plays a life for each name at once.
func (r *faultRun) together(seed uint64) error {
	lives, errs := make([]*faultRun, len(r.names)), make([]error, len(r.names))
	var group sync.WaitGroup
	for i, name := range r.names {
		crash := *r.crashRun
		crash.acked, crash.pending, crash.ever = map[string]string{}, map[string][]string{}, map[string][]string{}
		life := *r
		life.crashRun, life.names, life.alone = &crash, []string{name}, false
		lives[i] = &life
	}
	for i, life := range lives {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			for range 40 {
				errs[i] = errors.Join(errs[i], life.step(rng))
			}
			errs[i] = errors.Join(errs[i], life.known(life.letGo()))
		})
	}
	group.Wait()
	for i, name := range r.names {
		r.acked[name], r.pending[name], r.ever[name] = lives[i].acked[name], lives[i].pending[name], lives[i].ever[name]
		r.lost = r.lost || lives[i].lost
	}
	return errors.Join(errs...)
}
