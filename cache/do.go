package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// flight is one build that any number of callers wait for.
type flight struct {
	waiters int             // guarded by Store.flightMu
	awaits  map[*flight]int // how many calls of the build wait for which others; guarded by Store.flightMu
	cancel  context.CancelCauseFunc
	done    chan struct{}
	err     error
}

// building is the context key under which a build finds the keys it is already building.
type building struct{ s *Store }

// chain lists the builds that a build is nested in.
type chain struct {
	key  Key
	f    *flight
	next *chain
}

// PanicError reports a build function that panicked inside [Store.Do].
type PanicError struct {
	Value any
	Stack []byte
}

// Error quotes the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("cache: do: build panicked: %v", e.Value) }

// Do returns the artifact under key, leased. On a miss build makes it: once for all concurrent
// callers of the key, on a goroutine that Do starts (Close waits for it) with a context that keeps
// ctx's values and ends when the last waiting caller has left. An error or a panic (as a
// [*PanicError]) of build reaches every waiter and nothing is kept; when Close has ended the build,
// it is [ErrClosed] too. Inside build, Do is [ErrRecursive] on the same key, and on any other whose
// build waits for this one.
//
// What build made may fail to be stored, with an error of [Store.Put]. A full disk is [ErrNoSpace]
// and no fault of the step: a host that wants to go on then builds without the store. Nor is it one
// when a damaged index cannot be replaced, and what was put would not be found. Do does not say
// whether it found the artifact or built it: have build note that.
//
// A caller whose own ctx ends leaves with its error.
func (s *Store) Do(
	ctx context.Context, key Key, build func(context.Context, *Draft) error,
) (*Artifact, error) {
	outer, _ := ctx.Value(building{s}).(*chain)
	for c := outer; c != nil; c = c.next {
		if c.key == key {
			return nil, fmt.Errorf("cache: do %v: %w", key, ErrRecursive)
		}
	}
	for counted := true; ; counted = false {
		a, err := s.get(ctx, key, counted)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return a, err
		}
		f, err := s.board(ctx, key, outer, build)
		if err != nil {
			return nil, err
		}
		select {
		case <-f.done:
			s.leave(key, f, outer)
		case <-ctx.Done():
			s.leave(key, f, outer)
			return nil, fmt.Errorf("cache: do %v: %w", key, context.Cause(ctx))
		}
		if f.err != nil {
			return nil, f.err
		}
		// An entry that was dropped at once is built again.
	}
}

// board joins the flight of key, or starts it.
func (s *Store) board(
	ctx context.Context, key Key, outer *chain, build func(context.Context, *Draft) error,
) (*flight, error) {
	s.flightMu.Lock()
	defer s.flightMu.Unlock()
	if f := s.flights[key]; f != nil {
		if outer != nil && f.reaches(outer.f) {
			return nil, fmt.Errorf("cache: do %v: %w", key, ErrRecursive)
		}
		f.wait(outer)
		return f, nil
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	f := &flight{awaits: map[*flight]int{}, done: make(chan struct{}), err: errBuildExited}
	inner := context.WithValue(context.WithoutCancel(ctx), building{s},
		&chain{key: key, f: f, next: outer})
	inner, f.cancel = context.WithCancelCause(inner)
	f.wait(outer)
	s.flights[key] = f
	go func() { // ends with build; Close cancels it and waits through begin and end
		defer s.end()
		defer s.land(key, f)
		f.err = s.fly(inner, key, build)
	}()
	return f, nil
}

// wait notes one more caller, which may be a build.
func (f *flight) wait(outer *chain) {
	f.waiters++
	if outer != nil {
		outer.f.awaits[f]++
	}
}

// reaches reports whether f waits for g, over any number of other builds.
func (f *flight) reaches(g *flight) bool {
	if f == g {
		return true
	}
	for next := range f.awaits {
		if next.reaches(g) {
			return true
		}
	}
	return false
}

// land tells the waiters that the flight is over.
func (s *Store) land(key Key, f *flight) {
	s.flightMu.Lock()
	if s.flights[key] == f {
		delete(s.flights, key)
	}
	s.flightMu.Unlock()
	f.cancel(nil)
	close(f.done)
}

// errBuildExited stands until build returns; runtime.Goexit keeps it from that.
var errBuildExited = errors.New("cache: do: the build function ended its goroutine")

var errNoWaiters = errors.New("nobody waits for the build any more")

// leave ends a caller's interest; the last one ends the build.
func (s *Store) leave(key Key, f *flight, outer *chain) {
	s.flightMu.Lock()
	defer s.flightMu.Unlock()
	if outer != nil {
		if outer.f.awaits[f]--; outer.f.awaits[f] == 0 {
			delete(outer.f.awaits, f)
		}
	}
	if f.waiters--; f.waiters == 0 {
		f.cancel(errNoWaiters)
		if s.flights[key] == f {
			delete(s.flights, key) // who comes now starts afresh
		}
	}
}

// fly builds and stores, unless another flight has done so since the first caller of this one missed.
func (s *Store) fly(
	ctx context.Context, key Key, build func(context.Context, *Draft) error,
) (err error) {
	if a, err := s.find(ctx, &key); a != nil && err == nil {
		a.Release()
		return nil
	}
	d := s.NewDraft()
	defer d.Discard()
	start := s.now()
	if err := call(ctx, d, build); err != nil {
		if errors.Is(context.Cause(ctx), ErrClosed) {
			return fmt.Errorf("cache: do %v: %w: %w", key, ErrClosed, err)
		}
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("cache: do %v: %w", key, err)
	}
	if d.cost == 0 {
		d.cost = s.now().Sub(start)
	}
	if err := s.Put(ctx, key, d); err != nil || s.indexDamage.Load() == nil {
		return err
	}
	// Nothing is found in a damaged index: those who wait would build again, and for as long as it cannot be replaced.
	return s.wrap("do "+key.String(), s.finishRebuild(ctx))
}

func call(ctx context.Context, d *Draft, build func(context.Context, *Draft) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return build(ctx, d)
}

// cancelFlights ends all builds, for Close.
func (s *Store) cancelFlights() {
	s.flightMu.Lock()
	defer s.flightMu.Unlock()
	for _, f := range s.flights {
		f.cancel(ErrClosed)
	}
}
