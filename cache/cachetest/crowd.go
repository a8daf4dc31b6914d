package cachetest

import (
	"context"
	"sync"
	"time"

	"github.com/larderbuild/larder/cache"
)

// crowd is callers of Do that want one key at a time. The first one's build waits for release.
type crowd struct {
	callers []*caller
	results chan outcome
	release func()

	mu    sync.Mutex
	built int
}

// caller is one of a crowd. here is closed once it waits for a build, as far as one can see from
// outside.
type caller struct {
	context.Context
	leave context.CancelFunc
	here  func()
}

// Done is called by a store that is about to wait.
func (c *caller) Done() <-chan struct{} {
	c.here()
	return c.Context.Done()
}

// crowdBuild is a build that learns whose it is.
type crowdBuild = func(ctx context.Context, caller int) (Artifact, error)

// outcome is what one caller got.
type outcome struct {
	caller   int
	l        Leased
	err      error
	panicked any
}

// crowd starts n callers and returns when the first one's build runs and the others wait, or are
// very likely to.
func (t *trial) crowd(key cache.Key, n int, build crowdBuild) *crowd {
	t.Helper()
	b := ability[Builder](t, t.store)
	gate := make(chan struct{})
	c := &crowd{results: make(chan outcome, n), release: sync.OnceFunc(func() { close(gate) })}
	t.Cleanup(c.release)
	for i := range n {
		arrived := make(chan struct{})
		here := sync.OnceFunc(func() { close(arrived) })
		me := &caller{here: here}
		me.Context, me.leave = context.WithCancel(t.ctx)
		t.Cleanup(me.leave)
		c.callers = append(c.callers, me)
		start := here
		if i == 0 { // nobody else must be first
			me.here, start = func() {}, here
		}
		go func() { // ends with the build
			c.results <- c.call(b, me, key, i, func(ctx context.Context) (Artifact, error) {
				c.mu.Lock()
				c.built++
				c.mu.Unlock()
				start()
				<-gate
				return build(ctx, i)
			})
		}()
		c.arrive(t, i, arrived)
	}
	return c
}

// arrive waits for a caller. Only the first is sure to show: where a store never looks at a
// context, the others may be late, and rules that depend on them try again.
func (c *crowd) arrive(t *trial, i int, arrived <-chan struct{}) {
	if i == 0 {
		await(t, arrived, "start of the first build")
		return
	}
	soon := time.NewTimer(50 * time.Millisecond)
	defer soon.Stop()
	select {
	case <-arrived:
	case <-soon.C:
	}
}

func (c *crowd) call(b Builder, me *caller, key cache.Key, i int, build buildFunc) (o outcome) {
	o.caller = i
	defer func() {
		if o.l == nil && o.err == nil {
			o.panicked = recover()
		}
	}()
	o.l, o.err = b.Do(me, key, build)
	return o
}

// wait releases the build and returns what everyone got, with their leases released.
func (c *crowd) wait(t *trial) []outcome {
	t.Helper()
	c.release()
	var all []outcome
	for range c.callers {
		o := await(t, c.results, "do")
		if o.l != nil {
			t.Cleanup(o.l.Release)
		}
		all = append(all, o)
	}
	return all
}

func (c *crowd) builds() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.built
}

// shared runs builds that give nothing, and demands that every caller sees that of one and the
// same build.
func (t *trial) shared(build crowdBuild, ok func(outcome) bool) {
	t.Helper()
	t.attempt(func() bool {
		c := t.crowd(keyOf(0), 5, build)
		for _, o := range c.wait(t) {
			if o.l != nil || !ok(o) {
				t.Fatalf("caller %d: %v, error %v, panic %v", o.caller, o.l, o.err, o.panicked)
			}
		}
		return c.builds() == 1
	})
}

// attempt tries until all callers have met in one build.
func (t *trial) attempt(try func() bool) {
	t.Helper()
	const tries = 20
	for range tries {
		if try() {
			return
		}
	}
	t.Fatalf("callers of one key shared no build in %d attempts", tries)
}
