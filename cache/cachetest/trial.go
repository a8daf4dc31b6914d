package cachetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

// trial is one rule on its way over one store.
type trial struct {
	testing.TB
	store Store
	ctx   context.Context
	o     Options
	run   runner
}

func newTrial(t testing.TB, run runner, s Store, o Options) *trial {
	x := &trial{TB: t, store: s, ctx: t.Context(), o: o, run: run}
	t.Cleanup(func() { x.end() })
	return x
}

// end closes the store. A lease that a rule still holds here, or one that the store lost count
// of, is a failure.
func (t *trial) end() {
	limit := t.o.Wait
	if t.Failed() {
		limit = min(limit, time.Second) // what failed may have leaked leases; go on to the next rule
	}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	if err := t.store.Close(ctx); err != nil && !t.Failed() {
		t.Errorf("close at the end: %v", err)
	}
}

// part runs f as a subtest on the same store.
func (t *trial) part(name string, f func(*trial)) {
	t.run(name, func(tb testing.TB, run runner) {
		x := *t
		x.TB, x.ctx, x.run = tb, tb.Context(), run
		f(&x)
	})
}

// ability returns v as an A, or skips the rule and names what is missing.
func ability[A any](t *trial, v any) A {
	t.Helper()
	a, ok := v.(A)
	if !ok {
		t.Skipf("cachetest: %T is no %v; the rule was not run", v, reflect.TypeFor[A]())
	}
	return a
}

func (t *trial) put(key cache.Key, a Artifact) {
	t.Helper()
	if err := t.store.Put(t.ctx, key, a); err != nil {
		t.Fatalf("put: %v", err)
	}
}

// get leases what is under key until the rule ends, at the latest.
func (t *trial) get(key cache.Key) Leased {
	t.Helper()
	l, err := t.store.Get(t.ctx, key)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	t.Cleanup(l.Release)
	return l
}

func (t *trial) remove(key cache.Key) {
	t.Helper()
	if err := t.store.Delete(t.ctx, key); err != nil {
		t.Fatalf("delete: %v", err)
	}
}

// want demands that a get of key gives exactly a.
func (t *trial) want(key cache.Key, a Artifact) {
	t.Helper()
	if err := same(t.ctx, t.store, key, a); err != nil {
		t.Fatal(err)
	}
}

// holds demands that the lease gives exactly a.
func (t *trial) holds(l Leased, a Artifact) {
	t.Helper()
	if err := reads(l, a); err != nil {
		t.Fatal(err)
	}
}

// roundTrip puts a and demands it back.
func (t *trial) roundTrip(key cache.Key, a Artifact) {
	t.Helper()
	t.put(key, a)
	t.want(key, a)
}

// miss demands that nothing is under key.
func (t *trial) miss(key cache.Key) {
	t.Helper()
	if err := absent(t.ctx, t.store, key); err != nil {
		t.Fatal(err)
	}
}

// within fails the rule unless f returns in time. It is for calls that a wrong store would never
// return from, so f runs on a goroutine of its own and must not end the test.
func (t *trial) within(what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }() // ends with f; a wrong store leaks it
	if err := await(t, done, what); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// together calls f many times, from several goroutines at a time, and demands no error.
func (t *trial) together(f func() error) {
	t.Helper()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				if err := f(); err != nil {
					t.Errorf("one of many at a time: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
}

// await receives from ch, or fails the rule.
func await[T any](t *trial, ch <-chan T, what string) T {
	t.Helper()
	limit := time.NewTimer(t.o.Wait)
	defer limit.Stop()
	select {
	case v := <-ch:
		return v
	case <-limit.C:
		t.Fatalf("%s: nothing after %v", what, t.o.Wait)
		panic("unreachable")
	}
}

// until calls cond until it holds, or fails the rule. It is for what the store does in its own
// time.
func (t *trial) until(what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(t.o.Wait); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("waited until %s: not after %v", what, t.o.Wait)
		}
	}
}

// same reports how what is under key differs from a.
func same(ctx context.Context, s Store, key cache.Key, a Artifact) error {
	l, err := s.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	defer l.Release()
	return reads(l, a)
}

func reads(l Leased, a Artifact) error {
	got, err := l.Read()
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if d := a.diff(got); d != "" {
		return errors.New("got " + d)
	}
	return nil
}

func absent(ctx context.Context, s Store, key cache.Key) error {
	l, err := s.Get(ctx, key)
	if l != nil {
		l.Release()
		return fmt.Errorf("get of an absent key: a lease, and %v; want none, and ErrNotFound", err)
	}
	if !errors.Is(err, cache.ErrNotFound) {
		return fmt.Errorf("get of an absent key: %w; want ErrNotFound", err)
	}
	return nil
}

// keyOf returns the i-th of a fixed list of keys.
func keyOf(i int) cache.Key { return sha256.Sum256(fmt.Append(nil, "cachetest key ", i)) }

// noise returns n bytes that are the same for the same seed and do not compress.
func noise(n, seed int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(keyOf(seed)).Read(b) // never fails
	return b
}

// file returns an artifact with one plain file.
func file(content []byte) Artifact {
	return Artifact{Outputs: []Output{{Name: "out", Mode: 0o644, Content: content}}}
}

// text returns an artifact whose one file says s: small enough to stand inline in a store that
// does so.
func text(s string) Artifact { return file([]byte(s)) }
