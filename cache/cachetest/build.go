package cachetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/larderbuild/larder/cache"
)

// One build serves all who want its key at a time.
var buildRules = []rule{
	{"build/miss builds and keeps", buildMiss},
	{"build/hit does not build", buildHit},
	{"build/one for many", buildOneForMany},
	{"build/error reaches all", buildError},
	{"build/error keeps nothing", buildErrorKeepsNothing},
	{"build/bad name keeps nothing", buildBadName},
	{"build/panic reaches all", buildPanic},
	{"build/exit of its goroutine reaches all", buildGoexit},
	{"build/first caller leaves", buildFirstLeaves},
	{"build/last caller leaves", buildLastLeaves},
	{"build/recursion", buildRecursion},
	{"build/recursion through another key", buildRecursionThrough},
	{"build/nested", buildNested},
	{"build/holds a lease", buildLease},
	{"build/close ends it", buildClose},
}

type buildFunc = func(context.Context) (Artifact, error)

var errBuild = errors.New("the build failed")

// do is Do of one caller that expects a.
func (t *trial) do(b Builder, key cache.Key, a Artifact, build buildFunc) {
	t.Helper()
	l, err := b.Do(t.ctx, key, build)
	if err != nil {
		t.Fatalf("do: %v", err)
	}
	defer l.Release()
	t.holds(l, a)
}

// built is what a build makes. It has a cost, since a store may measure the cost of a build that
// gives none.
func built(s string) Artifact {
	a := text(s)
	a.Cost = time.Second
	return a
}

func gives(a Artifact) buildFunc {
	return func(context.Context) (Artifact, error) { return a, nil }
}

// fails is a build that gives something beside its error.
func fails(context.Context) (Artifact, error) { return text("x"), errBuild }

func (t *trial) never(context.Context) (Artifact, error) {
	t.Error("a build ran")
	return Artifact{}, nil
}

func buildMiss(t *trial) {
	b := ability[Builder](t, t.store)
	t.do(b, keyOf(0), everything(), gives(everything()))
	t.want(keyOf(0), everything())
	t.listed(keyOf(0))
	t.do(b, keyOf(1), built(""), gives(built("")))
	t.want(keyOf(1), built(""))
}

func buildHit(t *trial) {
	b := ability[Builder](t, t.store)
	t.put(keyOf(0), text("stored"))
	t.do(b, keyOf(0), text("stored"), t.never)
	t.do(b, keyOf(1), built("built"), gives(built("built")))
	t.do(b, keyOf(1), built("built"), t.never)
	t.remove(keyOf(1))
	t.do(b, keyOf(1), built("built again"), gives(built("built again")))
}

// buildOneForMany needs no luck with time: who comes late finds what was built.
func buildOneForMany(t *trial) {
	c := t.crowd(keyOf(0), 8, func(context.Context, int) (Artifact, error) {
		return built("built"), nil
	})
	for _, o := range c.wait(t) {
		if o.err != nil || o.panicked != nil {
			t.Errorf("caller %d: %v, panic %v", o.caller, o.err, o.panicked)
			continue
		}
		if err := reads(o.l, built("built")); err != nil {
			t.Errorf("caller %d: %v", o.caller, err)
		}
	}
	if n := c.builds(); n != 1 {
		t.Errorf("%d builds ran for %d callers", n, len(c.callers))
	}
}

// buildError gives every build an error of its own, so that one that is handed on can be told.
func buildError(t *trial) {
	t.shared(func(_ context.Context, caller int) (Artifact, error) {
		return Artifact{}, fmt.Errorf("build of caller %d: %w", caller, errBuild)
	}, func(o outcome) bool { return o.panicked == nil && errors.Is(o.err, errBuild) })
}

func buildErrorKeepsNothing(t *trial) {
	b := ability[Builder](t, t.store)
	for range 2 {
		l, err := b.Do(t.ctx, keyOf(0), fails)
		if l != nil || !errors.Is(err, errBuild) {
			t.Errorf("do of a build that fails: %v, %v; want nil and its error", l, err)
		}
		t.miss(keyOf(0))
	}
	t.listed()
	t.do(b, keyOf(0), built("built"), gives(built("built")))
}

// buildBadName has the store, not the build, fail.
func buildBadName(t *trial) {
	b := ability[Builder](t, t.store)
	l, err := b.Do(t.ctx, keyOf(0), gives(named("../bad")))
	if l != nil {
		l.Release()
	}
	if _, ok := errors.AsType[*cache.NameError](err); !ok {
		t.Errorf("do of a build with a bad name: %v; want a *cache.NameError", err)
	}
	t.miss(keyOf(0))
}

func buildPanic(t *trial) {
	t.shared(func(context.Context, int) (Artifact, error) { panic(errBuild) },
		func(o outcome) bool {
			p, ok := errors.AsType[*cache.PanicError](o.err)
			return ok && p.Value == errBuild
		})
	t.miss(keyOf(0))
}

// buildGoexit ends the build as a failed assertion in a host's test does.
func buildGoexit(t *trial) {
	t.shared(func(context.Context, int) (Artifact, error) {
		runtime.Goexit()
		return Artifact{}, nil
	}, func(o outcome) bool { return o.err != nil })
	t.miss(keyOf(0))
}

// buildRecursion waits for itself, unless the store sees it.
func buildRecursion(t *trial) {
	b := ability[Builder](t, t.store)
	t.within("do inside its own build", func() error {
		l, err := b.Do(t.ctx, keyOf(0), func(ctx context.Context) (Artifact, error) {
			_, err := b.Do(ctx, keyOf(0), t.never)
			if !errors.Is(err, cache.ErrRecursive) {
				return Artifact{}, fmt.Errorf("got %w; want ErrRecursive", err)
			}
			return built("built"), nil
		})
		if err == nil {
			l.Release()
		}
		return err
	})
	t.want(keyOf(0), built("built"))
}

// buildRecursionThrough does so by way of the build of another key.
func buildRecursionThrough(t *trial) {
	b := ability[Builder](t, t.store)
	t.within("do inside its own build, through another", func() error {
		_, err := b.Do(t.ctx, keyOf(0), func(ctx context.Context) (Artifact, error) {
			_, err := b.Do(ctx, keyOf(1), func(ctx context.Context) (Artifact, error) {
				_, err := b.Do(ctx, keyOf(0), t.never)
				return Artifact{}, err
			})
			return Artifact{}, err
		})
		if !errors.Is(err, cache.ErrRecursive) {
			return fmt.Errorf("got %w; want ErrRecursive", err)
		}
		return nil
	})
	t.miss(keyOf(0))
	t.miss(keyOf(1))
}

// buildNested keeps a store from taking every build inside a build for a recursion.
func buildNested(t *trial) {
	b := ability[Builder](t, t.store)
	t.within("do of another key inside a build", func() error {
		l, err := b.Do(t.ctx, keyOf(0), func(ctx context.Context) (Artifact, error) {
			part, err := b.Do(ctx, keyOf(1), gives(built("part")))
			if err != nil {
				return Artifact{}, err
			}
			defer part.Release()
			return part.Read()
		})
		if err == nil {
			l.Release()
		}
		return err
	})
	t.want(keyOf(0), built("part"))
	t.want(keyOf(1), built("part"))
}

func buildLease(t *trial) {
	b, h := ability[Builder](t, t.store), ability[Holder](t, t.store)
	a := built(string(noise(5000, 0)))
	for i := range 2 { // once as a miss, once as a hit
		l, err := b.Do(t.ctx, keyOf(0), gives(a))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Release)
		if n := h.Held(); n != 1 {
			t.Errorf("%d leases are held after do %d", n, i)
		}
		if i == 1 {
			t.remove(keyOf(0))
			t.holds(l, a)
		}
		l.Release()
	}
	_, _ = b.Do(t.ctx, keyOf(1), fails) // how it fails is another rule's matter
	if n := h.Held(); n != 0 {
		t.Errorf("%d leases are held after a build that failed", n)
	}
}

// buildFirstLeaves has the caller leave whose build runs: the other still gets its result.
func buildFirstLeaves(t *trial) {
	t.attempt(func() bool {
		c := t.crowd(keyOf(0), 2, func(ctx context.Context, _ int) (Artifact, error) {
			return built("built"), ctx.Err()
		})
		c.callers[0].leave()
		t.left(c, 0)
		c.release()
		stayed := await(t, c.results, "do of the caller that stayed")
		if stayed.err != nil {
			t.Fatalf("the caller that stayed: %v", stayed.err)
		}
		stayed.l.Release()
		t.remove(keyOf(0))
		return c.builds() == 1
	})
}

// left demands that a caller returns before its build does.
func (t *trial) left(c *crowd, caller int) {
	t.Helper()
	o := await(t, c.results, "do of the caller that left")
	if o.caller != caller || !errors.Is(o.err, context.Canceled) {
		t.Fatalf("caller %d: %v; want caller %d first, with context.Canceled", o.caller, o.err, caller)
	}
}

// buildLastLeaves ends a build by leaving it; one who comes then must not get what is left of it.
func buildLastLeaves(t *trial) {
	b := ability[Builder](t, t.store)
	ended := make(chan error, 2)
	c := t.crowd(keyOf(0), 2, func(ctx context.Context, _ int) (Artifact, error) {
		<-ctx.Done()
		ended <- ctx.Err()
		return Artifact{}, ctx.Err()
	})
	for i := range c.callers {
		c.callers[i].leave()
		t.left(c, i)
	}
	late := make(chan error, 1)
	go func() { // ends with its build
		l, err := b.Do(t.ctx, keyOf(0), gives(built("built")))
		if err == nil {
			err = reads(l, built("built"))
			l.Release()
		}
		late <- err
	}()
	c.release()
	await(t, ended, "end of the build's context")
	if err := await(t, late, "do of one who came later"); err != nil {
		t.Errorf("do of one who came later: %v", err)
	}
}

// buildClose demands that Close ends a build, and not that it waits for one that goes on.
func buildClose(t *trial) {
	c := t.crowd(keyOf(0), 1, func(ctx context.Context, _ int) (Artifact, error) {
		<-ctx.Done()
		return Artifact{}, ctx.Err()
	})
	c.release()
	t.within("close while a build runs", func() error { return t.store.Close(t.ctx) })
	if o := await(t, c.results, "do"); o.err == nil && o.panicked == nil {
		t.Error("do of a build that close ended: no error")
	}
}
