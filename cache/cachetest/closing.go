package cachetest

import (
	"context"
	"errors"

	"github.com/larderbuild/larder/cache"
)

// Close ends a store once and for all, and says who is in the way.
var closeRules = []rule{
	{"close/twice", closeTwice},
	{"close/get", closedGet},
	{"close/put", closedPut},
	{"close/put streams", closedPutStreams},
	{"close/delete", closedDelete},
	{"close/list", closedList},
	{"close/build", closedBuild},
	{"close/held", closeHeld},
	{"close/waits for leases", closeWaits},
}

func (t *trial) close() {
	t.Helper()
	if err := t.store.Close(t.ctx); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// closed demands ErrClosed.
func (t *trial) closed(err error) {
	t.Helper()
	if !errors.Is(err, cache.ErrClosed) {
		t.Errorf("after close: %v; want ErrClosed", err)
	}
}

func closeTwice(t *trial) {
	t.put(keyOf(0), text("x"))
	t.close()
	t.close()
}

// closedGet and the rules after it try a key that was there and one that was not.
func closedGet(t *trial) {
	t.put(keyOf(0), text("x"))
	t.close()
	for i := range 2 {
		l, err := t.store.Get(t.ctx, keyOf(i))
		if l != nil {
			l.Release()
		}
		t.closed(err)
	}
}

func closedPut(t *trial) {
	t.close()
	t.closed(t.store.Put(t.ctx, keyOf(0), text("x")))
}

func closedPutStreams(t *trial) {
	s := ability[Streamer](t, t.store)
	t.close()
	t.closed(s.PutStreams(t.ctx, keyOf(0)))
}

func closedDelete(t *trial) {
	t.put(keyOf(0), text("x"))
	t.close()
	for i := range 2 {
		t.closed(t.store.Delete(t.ctx, keyOf(i)))
	}
}

func closedList(t *trial) {
	t.put(keyOf(0), text("x"))
	t.close()
	var last error
	for _, err := range t.store.All(t.ctx) {
		last = err
	}
	t.closed(last)
}

func closedBuild(t *trial) {
	b := ability[Builder](t, t.store)
	t.put(keyOf(0), text("x"))
	t.close()
	for i := range 2 {
		l, err := b.Do(t.ctx, keyOf(i), func(context.Context) (Artifact, error) {
			t.Error("a build ran after close")
			return Artifact{}, nil
		})
		if l != nil {
			l.Release()
		}
		t.closed(err)
	}
}

// closeHeld gives up on leases at once: the error counts them, and they stay readable.
func closeHeld(t *trial) {
	ability[Holder](t, t.store)
	a := file(noise(5000, 0))
	for i := range 3 {
		t.put(keyOf(i), a)
	}
	l, again, other := t.get(keyOf(0)), t.get(keyOf(0)), t.get(keyOf(1))
	ended, end := context.WithCancel(t.ctx)
	end()
	err := t.store.Close(ended)
	held, ok := errors.AsType[*cache.HeldError](err)
	if !ok {
		t.Fatalf("close with leases: %v; want a *cache.HeldError", err)
	}
	counts := map[cache.Key]int{}
	for _, lease := range held.Leases {
		counts[lease.Key] += lease.Count
	}
	if len(counts) != 2 || counts[keyOf(0)] != 2 || counts[keyOf(1)] != 1 {
		t.Errorf("close with leases names %v; want key 0 twice and key 1 once", held.Leases)
	}
	t.closed(t.store.Put(t.ctx, keyOf(3), a))
	t.holds(again, a)
	for _, l := range []Leased{l, again, other} {
		l.Release()
	}
	t.close()
}

// closeWaits releases the last lease while Close waits for it.
func closeWaits(t *trial) {
	ability[Holder](t, t.store)
	t.put(keyOf(0), text("x"))
	l := t.get(keyOf(0))
	done := make(chan error, 1)
	go func() { done <- t.store.Close(t.ctx) }() // ends with the lease
	t.until("gets fail", func() bool {
		l, err := t.store.Get(t.ctx, keyOf(0))
		if l != nil {
			l.Release()
		}
		return errors.Is(err, cache.ErrClosed)
	})
	select {
	case err := <-done:
		t.Errorf("close did not wait for a lease: %v", err)
		return
	default:
	}
	t.holds(l, text("x"))
	l.Release()
	if err := await(t, done, "close after the last release"); err != nil {
		t.Errorf("close after the last release: %v", err)
	}
}
