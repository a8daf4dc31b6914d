package cache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
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
