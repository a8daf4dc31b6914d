package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestRunTwice refuses a second Run, and takes one again when the first has ended.
func TestRunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, nil, 0)
		synctest.Wait()
		if err := u.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second run: %v", err)
		}
		u.cancel()
		if err := <-u.ran; !errors.Is(err, context.Canceled) {
			t.Errorf("first run: %v", err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errBuild)
		defer cancel()
		if err := u.Run(ctx); !errors.Is(err, errBuild) {
			t.Errorf("third run: %v", err)
		}
		go func() { u.ran <- u.Run(context.Background()) }()
		synctest.Wait()
		if err := u.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-u.ran; err != nil {
			t.Errorf("run of a store that is closed: %v", err)
		}
		if err := u.Run(t.Context()); err != nil {
			t.Errorf("run after close: %v", err)
		}
	})
}

// beginMerge makes a store in memory whose commits have begun a merge, and returns how many tables its index has: the last of
// three tables lets the others outgrow the first, and has moved 4096 of 12,100 records.
func beginMerge(t *testing.T) (s *Store, tables func() int) {
	t.Helper()
	mem := vfs.NewMem("/d")
	s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: mem, flushAfter: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range []int{6000, 5900, 200} {
		for j := range n {
			if err := putText(s, fmt.Sprint(i, " ", j), "text"); err != nil {
				t.Fatal(err)
			}
		}
		flushNow(t, s)
	}
	tables = func() int {
		list, err := mem.ReadDir(filepath.Join(crashRoot, "index"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := tables(); n < 3 {
		t.Fatalf("%d tables before", n)
	}
	return s, tables
}

// TestRunMerges has Run end a merge that commits have begun, when none follows.
func TestRunMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tables := beginMerge(t)
		ran := make(chan error)
		go func() { ran <- s.Run(context.Background()) }()
		time.Sleep(4 * stepEvery)
		if n := tables(); n != 1 {
			t.Errorf("%d tables after", n)
		}
		if err := errors.Join(s.Close(context.Background()), <-ran); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseMerges has Close end a merge that is nearly done: what it has moved would be lost.
func TestCloseMerges(t *testing.T) {
	s, tables := beginMerge(t)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := tables(); n > 2 { // Close writes one more
		t.Errorf("%d tables after", n)
	}
}

// TestVerbsAroundRun uses every verb before Run, below it, when it has parked the store, after it, and below a second one.
func TestVerbsAroundRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, nil, 0)
		u.cancel()
		<-u.ran
		everyVerb(t, u, "before")
		u.run()
		everyVerb(t, u, "below")
		time.Sleep(time.Minute)
		if !u.Stats().Parked {
			t.Fatal("not parked")
		}
		everyVerb(t, u, "parked")
		time.Sleep(time.Minute)
		u.cancel()
		<-u.ran
		if !u.Stats().Parked {
			t.Fatal("not parked at the end of Run")
		}
		everyVerb(t, u, "after")
		u.run()
		everyVerb(t, u, "again")
		u.stop(t)
	})
}

// everyVerb puts an artifact and deletes it in the end.
func everyVerb(t *testing.T, u *upkeptStore, phase string) {
	t.Helper()
	ctx, entries := context.Background(), u.Stats().Entries
	fail := func(verb string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %s: %v", phase, verb, err)
		}
	}
	stop := u.Trace(io.Discard)
	big := phase + strings.Repeat(".", 5000)
	fail("put", putText(u.Store, phase, big))
	a, err := u.Do(ctx, nameKey("do "+phase), makes("built "+phase))
	if err != nil {
		t.Fatalf("%s: do: %v", phase, err)
	}
	a.Release()
	for name, want := range map[string]string{phase: big, "do " + phase: "built " + phase} {
		if got, err := getText(u.Store, name); err != nil || got != want {
			t.Errorf("%s: get: %.20q, %v", phase, got, err)
		}
	}
	fail("sync", u.Sync(ctx))
	rep, err := u.Verify(ctx, nil)
	if err != nil || rep.Entries != entries+2 || rep.Corrupt != 0 {
		t.Errorf("%s: verify: %+v, %v", phase, rep, err)
	}
	listed := int64(0)
	for _, err := range u.All(ctx) {
		fail("list", err)
		listed++
	}
	fail("delete", u.Delete(ctx, nameKey(phase)))
	fail("trace", stop())
	if n := u.Stats().Entries; listed != entries+2 || n != entries+1 {
		t.Errorf("%s: %d listed, %d left, of %d and two new ones", phase, listed, n, entries)
	}
}

// TestGroupDurable counts fsyncs: with Run each commit is durable within 100 ms, and a burst shares them.
func TestGroupDurable(t *testing.T) {
	for _, d := range []Durability{Group, None, Always} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpkept(t, &Options{Durability: d}, 0)
			defer u.stop(t)
			time.Sleep(5 * time.Second)
			for i := range 3 {
				before := u.syncs.Load()
				for j := range 20 {
					if err := putText(u.Store, fmt.Sprint("k", j), fmt.Sprint(i)); err != nil {
						t.Fatal(err)
					}
				}
				atOnce := u.syncs.Load() - before
				time.Sleep(100 * time.Millisecond)
				n := u.syncs.Load() - before
				time.Sleep(10 * time.Second)
				late := u.syncs.Load() - before - n
				switch {
				case d == Group && (atOnce > 1 || n == 0 || n > 5 || late > 0),
					d == None && n+late > 0, d == Always && atOnce < 20:
					t.Errorf("durability %d: %d fsyncs at once, %d within 100 ms, %d later", d, atOnce, n, late)
				}
			}
		})
	}
}

// slowStore is a store with a large file on a disk that takes five seconds to read a chunk of it.
type slowStore struct {
	*Store
	syncs, reading atomic.Int64
}

const slowChunks = 16

func newSlow(t *testing.T) *slowStore {
	t.Helper()
	s := &slowStore{}
	fsys := vfs.NewFaults(vfs.NewMem("/d"), func(op vfs.Op) vfs.Fault {
		switch {
		case op.Kind == vfs.OpSync:
			s.syncs.Add(1)
		case op.Kind == vfs.OpRead && strings.Contains(filepath.ToSlash(op.Path), "/blobs/"):
			s.reading.Add(1)
			time.Sleep(5 * time.Second)
			s.reading.Add(-1)
		}
		return vfs.Fault{}
	})
	s.Store = openTree(t, fsys, &Options{ParkAfter: -1}, 0)
	text := strings.Repeat("x", slowChunks*chunk)
	if err := errors.Join(putText(s.Store, "big", text), s.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s.Store)
	return s
}

// TestVerifyLargeFile tells of a large file while it reads it, and ends in the midst of it when it is told to.
func TestVerifyLargeFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlow(t)
		var told []int64
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rep, err := s.Verify(ctx, &VerifyOptions{Progress: func(r VerifyReport) {
			if told = append(told, r.Bytes); len(told) == 3 {
				cancel()
			}
		}})
		if want := []int64{chunk, 2 * chunk, 3 * chunk}; !slices.Equal(told, want) {
			t.Errorf("told of %d bytes, want %d", told, want)
		}
		if !errors.Is(err, context.Canceled) || rep.Entries != 1 || rep.Bytes != 3*chunk || rep.Corrupt != 0 {
			t.Errorf("%+v, %v", rep, err)
		}
		if rep, err = s.Verify(t.Context(), nil); err != nil || rep.Bytes != slowChunks*chunk || rep.Corrupt != 0 {
			t.Errorf("afterwards: %+v, %v", rep, err)
		}
	})
}

// TestGroupDurableBesideLongWork commits while Run is busy with something else, here with the large file, which Close then
// does not wait for.
func TestGroupDurableBesideLongWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlow(t)
		ran := make(chan error)
		go func() { ran <- s.Run(t.Context()) }() // ends with the store
		time.Sleep(scrubFirst + 2*stepEvery)
		before := s.syncs.Load()
		if err := putText(s.Store, "small", "text"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(syncInterval)
		if n := s.syncs.Load() - before; s.reading.Load() == 0 || n == 0 {
			t.Errorf("within %v of a put: %d fsyncs, while %d reads go on", syncInterval, n, s.reading.Load())
		}
		began := time.Now()
		if err := errors.Join(s.Close(t.Context()), <-ran); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
	})
}

// TestGroupDurableWithoutRun makes commits durable with the first commit after 100 ms.
func TestGroupDurableWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, nil, 0)
		u.cancel()
		<-u.ran
		defer u.Close(context.Background())
		step := func(pause time.Duration) int64 {
			time.Sleep(pause)
			before := u.syncs.Load()
			if err := putText(u.Store, "k", "v"); err != nil {
				t.Fatal(err)
			}
			return u.syncs.Load() - before
		}
		if a, b, c, d := step(0), step(90*time.Millisecond), step(20*time.Millisecond), step(0); a+b != 0 || c == 0 || d != 0 {
			t.Errorf("fsyncs: %d, after 90 ms %d, after 110 ms %d, at once %d", a, b, c, d)
		}
	})
}

// TestRunCompacts replaces the same entries again and again: the log does not grow for ever.
func TestRunCompacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, nil, 16<<10)
		defer u.stop(t)
		for i := range 400 {
			if err := putText(u.Store, fmt.Sprint("k", i%10), fmt.Sprint(i, " ", strings.Repeat("x", 900))); err != nil {
				t.Fatal(err)
			}
		}
		full := u.Stats()
		time.Sleep(3 * time.Second)
		st := u.Stats()
		if full.LogBytes < 400*900 || st.LogBytes > 5*16<<10 || st.LiveBytes > 20<<10 || st.Entries != 10 {
			t.Errorf("log of %d bytes compacted to %d, %d of them live", full.LogBytes, st.LogBytes, st.LiveBytes)
		}
		for i := range 10 {
			if got, err := getText(u.Store, fmt.Sprint("k", i)); err != nil || !strings.HasPrefix(got, fmt.Sprint(390+i, " ")) {
				t.Errorf("k%d: %.10q, %v", i, got, err)
			}
		}
	})
}

// TestHeldWhileCompacted reads an inline output whose frame has moved, and one whose entry is gone.
func TestHeldWhileCompacted(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := errors.Join(putText(s, "stays", "small"), putText(s, "goes", "tiny")); err != nil {
		t.Fatal(err)
	}
	var held []*Artifact
	for _, name := range []string{"stays", "goes"} {
		a, err := s.Get(t.Context(), nameKey(name))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Release()
		held = append(held, a)
	}
	if err := s.Delete(t.Context(), nameKey("goes")); err != nil {
		t.Fatal(err)
	}
	first := s.flog.Segments()[0].ID
	for i := range 100 {
		if err := putText(s, fmt.Sprint("f", i%3), strings.Repeat("x", 900)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := s.flog.Segments()[0].ID; now <= first {
		t.Fatalf("segment %d is still there", first)
	}
	for i, want := range []string{"small", "tiny"} {
		if b, err := held[i].Bytes("out"); err != nil || string(b) != want {
			t.Errorf("held artifact: %q, %v, want %q", b, err, want)
		}
	}
	if got, err := getText(s, "stays"); err != nil || got != "small" {
		t.Errorf("entry that was moved: %q, %v", got, err)
	}
}
