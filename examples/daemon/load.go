package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// tally is what callers have seen. Each has its own; they are added up at the end.
type tally struct {
	times  []time.Duration
	errors map[string]int
	sample error // one of the errors
}

func (t *tally) add(other tally) {
	t.times = append(t.times, other.times...)
	for kind, n := range other.errors {
		t.fail(kind, n, other.sample)
	}
}

func newTally() tally { return tally{errors: make(map[string]int)} }

func (t *tally) fail(kind string, n int, err error) {
	t.errors[kind] += n
	t.sample = err
}

func (t *tally) quantile(q float64) time.Duration {
	if len(t.times) == 0 {
		return 0
	}
	return t.times[min(int(q*float64(len(t.times))), len(t.times)-1)]
}

// load calls without pause from many clients, each with a connection of its own.
func (a *app) load(ctx context.Context, _ []string) error {
	c, err := lifecycle.Ensure(ctx, a.ep, a.options(nil))
	if err != nil {
		return err
	}
	defer c.Close()
	period, cancel := context.WithTimeout(ctx, a.period)
	defer cancel()
	began := time.Now()
	all := newTally()
	var mu sync.Mutex
	var callers sync.WaitGroup
	for range a.callers {
		callers.Go(func() {
			t := a.caller(ctx, period)
			mu.Lock()
			defer mu.Unlock()
			all.add(t)
		})
	}
	callers.Wait()
	a.report(all, time.Since(began))
	return nil
}

// caller calls once, and on until the period ends. A call that has begun is finished.
func (a *app) caller(ctx, period context.Context) tally {
	t := newTally()
	c, err := lifecycle.Ensure(ctx, a.ep, a.options(nil))
	if err != nil {
		t.fail(kindOf(err), 1, err)
		return t
	}
	defer c.Close()
	payload := make([]byte, 256)
	end, _ := period.Deadline() // calls know it before the context, whose timer may be late
	for {
		began := time.Now()
		if _, err := c.Call(ctx, opEcho, payload); err != nil {
			t.fail(kindOf(err), 1, err)
		} else {
			t.times = append(t.times, time.Since(began))
		}
		if period.Err() != nil || !time.Now().Before(end) {
			return t
		}
	}
}

func (a *app) report(t tally, took time.Duration) {
	slices.Sort(t.times)
	rate := float64(len(t.times)) / took.Seconds()
	p50, p99 := t.quantile(0.5), t.quantile(0.99)
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(t.errors)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, t.errors[kind]))
	}
	if len(kinds) == 0 {
		kinds = []string{"none"}
	}
	text := fmt.Sprintf("%.0f calls/s, p50 %v, p99 %v, errors: %s\n", rate, p50, p99, strings.Join(kinds, ", "))
	if t.sample != nil {
		text += fmt.Sprintf("for example: %v\n", t.sample)
	}
	a.print(map[string]any{
		"calls": len(t.times), "calls_per_s": rate, "p50_us": p50.Microseconds(),
		"p99_us": p99.Microseconds(), "errors": t.errors,
	}, text)
}
