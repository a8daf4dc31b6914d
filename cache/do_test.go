package cache

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// inBubble runs f on a store in memory, where waiting can be seen.
func inBubble(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, _ := openMem(t, nil)
		f(t, s)
	})
}

// outcome of one caller of Do.
type outcome struct {
	text string
	err  error
}

// start calls Do on a goroutine of its own.
func start(ctx context.Context, s *Store, name string, build func(context.Context, *Draft) error) chan outcome {
	ch := make(chan outcome, 1)
	go func() {
		var o outcome
		a, err := s.Do(ctx, nameKey(name), build)
		if o.err = err; err == nil {
			b, berr := a.Bytes("out")
			o.text, o.err = string(b), berr
			a.Release()
		}
		ch <- o
	}()
	return ch
}

func makes(text string) func(context.Context, *Draft) error {
	return func(_ context.Context, d *Draft) error { return d.Add("out", 0o644, strings.NewReader(text)) }
}

var errBuild = errors.New("build failed")

// TestDoOnceForAll has 50 callers wait for one build, which ends in each way there is.
func TestDoOnceForAll(t *testing.T) {
	ends := map[string]struct {
		build func(*Draft) error
		ok    func(outcome) bool
	}{
		"artifact": {func(d *Draft) error { return makes("made")(nil, d) }, func(o outcome) bool { return o.text == "made" && o.err == nil }},
		"error":    {func(*Draft) error { return errBuild }, func(o outcome) bool { return errors.Is(o.err, errBuild) }},
		"panic": {func(*Draft) error { panic("over") }, func(o outcome) bool {
			p, ok := errors.AsType[*PanicError](o.err)
			return ok && p.Value == "over" && strings.Contains(string(p.Stack), "do_test.go") && strings.Contains(p.Error(), "over")
		}},
		"exit":        {func(*Draft) error { runtime.Goexit(); return nil }, func(o outcome) bool { return errors.Is(o.err, errBuildExited) }},
		"panic value": {func(*Draft) error { panic(errBuild) }, func(o outcome) bool { _, ok := errors.AsType[*PanicError](o.err); return ok }},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *Store) {
				var builds atomic.Int64
				goOn := make(chan struct{})
				build := func(_ context.Context, d *Draft) error {
					builds.Add(1)
					<-goOn
					return end.build(d)
				}
				var all [50]chan outcome
				for i := range all {
					all[i] = start(t.Context(), s, "k", build)
				}
				synctest.Wait()
				close(goOn)
				for i := range all {
					if o := <-all[i]; !end.ok(o) {
						t.Errorf("caller %d: %+v", i, o)
					}
				}
				if n := builds.Load(); n != 1 {
					t.Errorf("%d builds", n)
				}
				if st := s.Stats(); (st.Entries == 1) != (name == "artifact") || st.Leases != 0 {
					t.Errorf("stats: %+v", st)
				}
				o := <-start(t.Context(), s, "k", makes("again"))
				if want := map[bool]string{true: "made", false: "again"}[name == "artifact"]; o.text != want || o.err != nil {
					t.Errorf("later: %+v, want %s", o, want)
				}
			})
		})
	}
}

// TestDoAfterLanding joins the builds of a key with a miss from before another build has put it.
func TestDoAfterLanding(t *testing.T) {
	s, _ := openMem(t, nil)
	key, builds := nameKey("k"), 0
	build := func(ctx context.Context, d *Draft) error {
		builds++
		return makes("made")(ctx, d)
	}
	if _, err := s.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	a, err := s.Do(t.Context(), key, build)
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	f, err := s.board(t.Context(), key, nil, build)
	if err != nil {
		t.Fatal(err)
	}
	<-f.done
	s.leave(key, f, nil)
	if f.err != nil || builds != 1 || s.Stats().Leases != 0 {
		t.Errorf("%v after %d builds, %+v", f.err, builds, s.Stats())
	}
}

// TestDoInADamagedIndex builds while the index is damaged, cannot be put aside, and Run is to see to it: one build is enough to
// tell, and it is not lost.
func TestDoInADamagedIndex(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := putText(s, "other", "text"); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpLstat && filepath.Base(o.Path) == "index" }, vfs.Fault{Err: errIO}))
	s.upkeep.Store(true)
	defer s.upkeep.Store(false)
	s.distrust(errors.New("lost by the test"))
	builds := 0
	build := func(ctx context.Context, d *Draft) error {
		if builds++; builds > 1 {
			return errBuild
		}
		return makes("made")(ctx, d)
	}
	if _, err := s.Do(t.Context(), nameKey("k"), build); !errors.Is(err, errIO) || builds != 1 {
		t.Errorf("%v after %d builds", err, builds)
	}
	faults.SetHook(nil)
	if err := s.finishRebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := getText(s, "k"); got != "made" || err != nil {
		t.Errorf("later: %q, %v", got, err)
	}
}

// TestDoLeaving has callers leave one by one: the build goes on until the last has left, and whoever comes then
// starts afresh.
func TestDoLeaving(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		ended := make(chan error, 1)
		build := func(ctx context.Context, _ *Draft) error {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}
		var all [3]chan outcome
		var leave [3]context.CancelCauseFunc
		errLeft := errors.New("had enough")
		for i := range all {
			ctx, cancel := context.WithCancelCause(t.Context())
			all[i], leave[i] = start(ctx, s, "k", build), cancel
			synctest.Wait()
		}
		for i := range all {
			leave[i](errLeft)
			if o := <-all[i]; !errors.Is(o.err, errLeft) {
				t.Errorf("caller %d: %+v", i, o)
			}
			synctest.Wait()
			if gone := len(ended) == 1; gone != (i == 2) {
				t.Errorf("after %d of 3 have left the build has ended: %v", i+1, gone)
			}
		}
		if err := <-ended; !errors.Is(err, errNoWaiters) {
			t.Errorf("the build ended with %v", err)
		}
		if o := <-start(t.Context(), s, "k", makes("made")); o.text != "made" || o.err != nil {
			t.Errorf("who came later: %+v", o)
		}
	})
}

// TestDoAfterLeaving has a build ignore that nobody waits any more: what it gives is not kept, and does not
// disturb the next one.
func TestDoAfterLeaving(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		goOn := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		first := start(ctx, s, "k", func(_ context.Context, d *Draft) error {
			<-goOn
			return makes("stale")(nil, d)
		})
		synctest.Wait()
		cancel()
		<-first
		if o := <-start(t.Context(), s, "k", makes("made")); o.text != "made" || o.err != nil {
			t.Errorf("second caller: %+v", o)
		}
		close(goOn)
		synctest.Wait()
		if got, err := getText(s, "k"); err != nil || got != "made" {
			t.Errorf("in the end: %q, %v", got, err)
		}
	})
}

// TestDoContext shows a build the values of its caller's context, and not its end.
func TestDoContext(t *testing.T) {
	type name struct{}
	inBubble(t, func(t *testing.T, s *Store) {
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), name{}, "value"), time.Second)
		defer cancel()
		goOn := make(chan struct{})
		first := start(ctx, s, "k", func(ctx context.Context, d *Draft) error {
			<-goOn
			limited := "no deadline"
			if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
				limited = "deadline"
			}
			return makes(fmt.Sprint(ctx.Value(name{}), " ", limited))(nil, d)
		})
		synctest.Wait()
		second := start(t.Context(), s, "k", nil)
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if o := <-first; !errors.Is(o.err, context.DeadlineExceeded) {
			t.Errorf("caller whose time is over: %+v", o)
		}
		close(goOn)
		if o := <-second; o.text != "value no deadline" || o.err != nil {
			t.Errorf("caller with time: %+v", o)
		}
	})
}

// TestDoNested builds other keys from inside a build, and refuses the same one at any depth.
func TestDoNested(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		var inner error
		o := <-start(t.Context(), s, "a", func(ctx context.Context, d *Draft) error {
			b := <-start(ctx, s, "b", func(ctx context.Context, d *Draft) error {
				_, inner = s.Do(ctx, nameKey("a"), makes("never"))
				return makes("b")(ctx, d)
			})
			return makes("a of "+b.text)(ctx, d)
		})
		if o.text != "a of b" || o.err != nil || !errors.Is(inner, ErrRecursive) {
			t.Errorf("%+v, inner %v", o, inner)
		}
		other, _ := openMem(t, nil)
		o = <-start(t.Context(), s, "c", func(ctx context.Context, d *Draft) error {
			inOther := <-start(ctx, other, "c", makes("c elsewhere"))
			return makes(inOther.text)(ctx, d)
		})
		if o.text != "c elsewhere" || o.err != nil {
			t.Errorf("the same key in another store: %+v", o)
		}
	})
}

// TestDoNestedFound refuses the key of the build itself although something is stored under it meanwhile.
func TestDoNestedFound(t *testing.T) {
	s, _ := openMem(t, nil)
	var inner error
	a, err := s.Do(t.Context(), nameKey("a"), func(ctx context.Context, d *Draft) error {
		if err := putText(s, "a", "put"); err != nil {
			return err
		}
		_, inner = s.Do(ctx, nameKey("a"), makes("never"))
		return makes("made")(ctx, d)
	})
	if err != nil || !errors.Is(inner, ErrRecursive) {
		t.Fatalf("%v, inner %v", err, inner)
	}
	a.Release()
}

// TestDoCost measures a build that does not say what it cost.
func TestDoCost(t *testing.T) {
	clock := newClock()
	s, _ := openMem(t, &Options{Now: clock.now})
	for name, set := range map[string]time.Duration{"measured": 0, "said": time.Hour} {
		a, err := s.Do(t.Context(), nameKey(name), func(_ context.Context, d *Draft) error {
			clock.add(7)
			d.SetCost(set)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := max(set, 7*time.Second); a.Cost() != want {
			t.Errorf("%s: %v", name, a.Cost())
		}
		a.Release()
	}
}

// TestDoDiscarded has a build discard its draft: there is nothing to store, and nothing to try again.
func TestDoDiscarded(t *testing.T) {
	s, _ := openMem(t, nil)
	builds := 0
	_, err := s.Do(t.Context(), nameKey("k"), func(_ context.Context, d *Draft) error {
		builds++
		d.Discard()
		return nil
	})
	if !errors.Is(err, ErrClosed) || builds != 1 {
		t.Errorf("a build that discards its draft: %v after %d builds", err, builds)
	}
}

// TestDoClosed ends builds by Close: their callers learn why, and what the build made of it.
func TestDoClosed(t *testing.T) {
	killed := errors.New("signal: killed")
	for name, answer := range map[string]error{"the context's error": context.Canceled, "its own": killed, "none": nil} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *Store) {
				ch := start(t.Context(), s, "k", func(ctx context.Context, _ *Draft) error {
					<-ctx.Done()
					return answer
				})
				synctest.Wait()
				err := s.Close(t.Context())
				o := <-ch
				if err != nil || !errors.Is(o.err, ErrClosed) || answer != nil && !errors.Is(o.err, answer) {
					t.Errorf("close: %v, do: %v", err, o.err)
				}
			})
		})
	}
}

// TestDoCircle has builds that need each other's artifacts: one of them is told, and nobody waits for ever.
func TestDoCircle(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		names := []string{"a", "b", "c"}
		var begun sync.WaitGroup
		begun.Add(len(names))
		var callers []chan outcome
		for i, name := range names {
			next := names[(i+1)%len(names)]
			callers = append(callers, start(t.Context(), s, name, func(ctx context.Context, d *Draft) error {
				begun.Done()
				begun.Wait()
				a, err := s.Do(ctx, nameKey(next), makes(next))
				if err != nil {
					return err
				}
				a.Release()
				return makes(name)(ctx, d)
			}))
		}
		for i, ch := range callers {
			if o := <-ch; !errors.Is(o.err, ErrRecursive) {
				t.Errorf("%s: %q, %v", names[i], o.text, o.err)
			}
		}
		s.flightMu.Lock()
		defer s.flightMu.Unlock()
		if len(s.flights) > 0 {
			t.Errorf("%d builds are left", len(s.flights))
		}
	})
}

// TestDoTwice has one build wait for another by several calls, one of which gives up: the other call still counts.
func TestDoTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Store) {
		hold := make(chan struct{})
		other := start(t.Context(), s, "b", func(ctx context.Context, d *Draft) error {
			<-hold
			_, err := s.Do(ctx, nameKey("a"), makes("a"))
			return err
		})
		synctest.Wait()
		first := start(t.Context(), s, "a", func(ctx context.Context, d *Draft) error {
			short, cancel := context.WithCancel(ctx)
			one, two := start(short, s, "b", makes("b")), start(ctx, s, "b", makes("b"))
			synctest.Wait()
			cancel()
			<-one
			close(hold)
			return (<-two).err
		})
		if o := <-other; !errors.Is(o.err, ErrRecursive) {
			t.Errorf("b: %v", o.err)
		}
		if o := <-first; !errors.Is(o.err, ErrRecursive) {
			t.Errorf("a: %v", o.err)
		}
	})
}
