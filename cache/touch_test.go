package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// entryNow gets a key and says what is known of it.
func entryNow(t *testing.T, s *Store, name string) Entry {
	t.Helper()
	a, err := s.Get(t.Context(), nameKey(name))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	return a.Entry()
}

// usedLate opens a store in memory whose entry k has just been used, two hours after it was put.
func usedLate(t *testing.T) (*Store, *clock) {
	t.Helper()
	clock := newClock()
	s, _ := openMem(t, &Options{Now: clock.now})
	if err := putText(s, "k", "v"); err != nil {
		t.Fatal(err)
	}
	clock.add(7200)
	entryNow(t, s, "k")
	return s, clock
}

// TestLastUse renews the last use once an hour, and counts the hours; both survive a reopening, and the loss of the
// index.
func TestLastUse(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	s := uncleanStore(t, dir, &Options{Now: clock.now})
	born := clock.now()
	if err := putText(s, "k", "v"); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		pass int64 // seconds
		uses uint32
		ago  int64 // seconds since the recorded last use
	}{
		{0, 0, 0}, {3599, 0, 3599}, {1, 1, 0}, {10, 1, 10}, {3589, 1, 3599}, {1, 2, 0}, {100_000, 3, 0},
	}
	for i, step := range steps {
		clock.add(step.pass)
		for range 3 {
			entryNow(t, s, "k")
		}
		if err := s.logTouches(); err != nil {
			t.Fatal(err)
		}
		e := entryNow(t, s, "k")
		if e.Uses != step.uses || clock.now().Sub(e.LastUse) != time.Duration(step.ago)*time.Second || !e.Created.Equal(born) {
			t.Errorf("step %d: %+v at %v", i, e, clock.now())
		}
	}
	want := entryNow(t, s, "k")
	endings := map[string]func() error{
		"close": func() error { return s.Close(t.Context()) },
		"crash": func() error { return s.discard() },
		"index loss": func() error {
			return errors.Join(s.Close(t.Context()), os.RemoveAll(filepath.Join(dir, "index")))
		},
	}
	for name, end := range endings {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		s = uncleanStore(t, dir, &Options{Now: clock.now})
		if got := entryNow(t, s, "k"); got != want {
			t.Errorf("after %s: %+v, want %+v", name, got, want)
		}
	}
	if err := putText(s, "k", "new"); err != nil {
		t.Fatal(err)
	}
	if e := entryNow(t, s, "k"); e.Uses != 0 || !e.Created.Equal(clock.now()) || !e.LastUse.Equal(clock.now()) {
		t.Errorf("after a put: %+v", e)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLastUseAtClose logs what Run has not logged yet.
func TestLastUseAtClose(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	s := uncleanStore(t, dir, &Options{Now: clock.now})
	if err := putText(s, "k", "v"); err != nil {
		t.Fatal(err)
	}
	clock.add(7200)
	entryNow(t, s, "k")
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = uncleanStore(t, dir, &Options{Now: clock.now})
	defer s.Close(t.Context())
	if e := entryNow(t, s, "k"); e.Uses != 1 || !e.LastUse.Equal(clock.now()) {
		t.Errorf("%+v at %v", e, clock.now())
	}
}

// TestLastUseCompacted keeps the renewed last use of an entry whose frame was moved.
func TestLastUseCompacted(t *testing.T) {
	s, _ := usedLate(t)
	if err := s.logTouches(); err != nil {
		t.Fatal(err)
	}
	want := entryNow(t, s, "k")
	r := newCrashRun(nil, None)
	if err := errors.Join(r.fill(s, 60), s.compact(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := entryNow(t, s, "k"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	halfRebuilt(t, s, 0)
	s.upkeep.Store(false)
	if got := entryNow(t, s, "k"); got != want {
		t.Errorf("after a rebuild: %+v, want %+v", got, want)
	}
}

// TestRunLogsLastUse has Run log a renewal within a minute or so.
func TestRunLogsLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, &Options{ParkAfter: -1}, 0)
		defer u.stop(t)
		if err := putText(u.Store, "k", "v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		entryNow(t, u.Store, "k")
		time.Sleep(2 * time.Minute)
		if e := entryNow(t, u.Store, "k"); e.Uses != 1 || time.Since(e.LastUse) > 3*time.Minute {
			t.Errorf("%+v at %v", e, time.Now())
		}
	})
}

// TestRunLogsManyUses has Run log renewals at once when there are so many that others would be dropped.
func TestRunLogsManyUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, &Options{ParkAfter: -1}, 0)
		defer u.stop(t)
		names := putMany(t, u.Store, maxTouches/2)
		time.Sleep(2*time.Hour + touchEvery/2)
		for _, name := range names {
			entryNow(t, u.Store, name)
		}
		time.Sleep(touchEvery / 4)
		if u.manyTouches() {
			t.Errorf("%d renewals wait", maxTouches/2)
		}
	})
}

// TestTouchesInGroups logs many renewals with few fsyncs, whatever was dropped among them.
func TestTouchesInGroups(t *testing.T) {
	clock := newClock()
	s, faults, _ := openFaults(t, &Options{Now: clock.now, Durability: Always})
	names := putMany(t, s, 3*touchGroup+1)
	clock.add(7200)
	for _, name := range names {
		entryNow(t, s, name)
	}
	if err := s.Delete(t.Context(), nameKey(names[7])); err != nil {
		t.Fatal(err)
	}
	syncs := 0
	faults.SetHook(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync {
			syncs++
		}
		return vfs.Fault{}
	})
	if err := s.logTouches(); err != nil || syncs > 4 || len(s.touches) > 0 {
		t.Errorf("%v, %d fsyncs, %d wait", err, syncs, len(s.touches))
	}
	for i, name := range names {
		if i == 7 {
			continue
		}
		if e := entryNow(t, s, name); e.Uses != 1 || !e.LastUse.Equal(clock.now()) {
			t.Fatalf("%s: %+v at %v", name, e, clock.now())
		}
	}
}

// putMany puts n entries and returns their names.
func putMany(t *testing.T, s *Store, n int) []string {
	t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint("k", i)
		if err := putText(s, names[i], "v"); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestParkLogsUses parks a store whose last uses wait to be logged.
func TestParkLogsUses(t *testing.T) {
	s, clock := usedLate(t)
	if !s.park() {
		t.Fatal("not parked")
	}
	if e := entryNow(t, s, "k"); e.Uses != 1 || !e.LastUse.Equal(clock.now()) || len(s.touches) > 0 {
		t.Errorf("%+v at %v, %d wait", e, clock.now(), len(s.touches))
	}
}

// TestDeleteIdle deletes what is idle and nothing else, whoever listed it before.
func TestDeleteIdle(t *testing.T) {
	for name, c := range map[string]struct {
		use  func(t *testing.T, s *Store)
		want error
	}{
		"idle":                     {func(*testing.T, *Store) {}, nil},
		"held":                     {func(t *testing.T, s *Store) { hold(t, s, "k") }, ErrInUse},
		"used and not yet logged":  {func(t *testing.T, s *Store) { entryNow(t, s, "k") }, ErrInUse},
		"used, and that is logged": {func(t *testing.T, s *Store) { entryNow(t, s, "k"); s.logTouches() }, ErrInUse},
		"absent":                   {func(t *testing.T, s *Store) { s.Delete(t.Context(), nameKey("k")) }, ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			s, _ := openMem(t, &Options{Now: clock.now})
			if err := putText(s, "k", "v"); err != nil {
				t.Fatal(err)
			}
			clock.add(100_000)
			c.use(t, s)
			err := s.DeleteIdle(t.Context(), nameKey("k"), clock.now().Add(-24*time.Hour))
			if c.want == nil && err != nil || !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if got, err := getText(s, "k"); err != nil || (got == "v") != (c.want == ErrInUse) {
				t.Errorf("afterwards: %q, %v", got, err)
			}
		})
	}
}

// TestDeleteIdleSinceNever has the zero time, which is no condition, and an entry that is held all the same.
func TestDeleteIdleSinceNever(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := putText(s, "k", "v"); err != nil {
		t.Fatal(err)
	}
	hold(t, s, "k")
	if err := s.DeleteIdle(t.Context(), nameKey("k"), time.Time{}); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
}

// TestListedLastUse lists an entry whose last use is not logged yet.
func TestListedLastUse(t *testing.T) {
	s, clock := usedLate(t)
	for e, err := range s.All(t.Context()) {
		if err != nil || !e.LastUse.Equal(clock.now().Truncate(time.Second)) {
			t.Errorf("last use: %v, %v; now: %v", e.LastUse, err, clock.now())
		}
	}
}

// TestTouchesOutliveAFullLog keeps the renewals that could not be logged.
func TestTouchesOutliveAFullLog(t *testing.T) {
	clock := newClock()
	s, faults, _ := openFaults(t, &Options{Now: clock.now})
	if err := putText(s, "k", "v"); err != nil {
		t.Fatal(err)
	}
	clock.add(7200)
	entryNow(t, s, "k")
	faults.SetHook(vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite }, vfs.Fault{Err: syscall.ENOSPC}))
	if err := s.logTouches(); err == nil {
		t.Fatal("logged on a full disk")
	}
	faults.SetHook(nil)
	if at := s.lastUse(new(nameKey("k")), new(record)); !at.Equal(clock.now().Truncate(time.Second)) {
		t.Errorf("the renewal that waits: %v", at)
	}
}
