package cache

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestScrub lets upkeep read everything in steps and demands that it finds what is damaged, and nothing else.
func TestScrub(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), &Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	const n = pageSize + 20 // more than one step
	text := func(i int) string { return fmt.Sprint("file ", i, strings.Repeat(".", 2000)) }
	for i := range n {
		if err := putText(s, fmt.Sprint("k", i), text(i)); err != nil {
			t.Fatal(err)
		}
	}
	s.commitMu.Lock()
	err = s.flush(false) // a scrub reads the index
	s.commitMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Get(t.Context(), nameKey("k7"))
	if err != nil {
		t.Fatal(err)
	}
	path, err := a.Path("out")
	a.Release()
	if err := errors.Join(err, os.Chmod(path, 0o600), os.WriteFile(path, []byte(text(8)), 0)); err != nil {
		t.Fatal(err)
	}
	u := newUpkeep(s)
	began := u.scrubbed
	for steps := 0; u.scrubbed.Equal(began); steps++ {
		if err := u.scrub(t.Context()); err != nil || steps > n {
			t.Fatal(steps, err)
		}
	}
	if st := s.Stats(); st.Corrupt != 1 || st.Entries != n-1 {
		t.Errorf("%d found corrupt, %d entries left, want 1 and %d", st.Corrupt, st.Entries, n-1)
	}
	if _, err := s.Get(t.Context(), nameKey("k7")); !errors.Is(err, ErrNotFound) {
		t.Errorf("the damaged entry: %v", err)
	}
}

// TestScrubPace has a busy store scrubbed: no faster than 4 MiB a second, however often Run has other work.
func TestScrubPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, &Options{ParkAfter: -1}, 0)
		defer u.stop(t)
		const n = 16
		for i := range n {
			if err := putText(u.Store, fmt.Sprint("k", i), fmt.Sprint(i, strings.Repeat(".", 1<<20))); err != nil {
				t.Fatal(err)
			}
		}
		flushNow(t, u.Store)
		time.Sleep(scrubFirst - time.Second)
		before := u.payloads.Load()
		var first, last time.Time
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if err := putText(u.Store, "busy", "small"); err != nil {
				t.Fatal(err)
			}
			if read := u.payloads.Load() - before; read > 0 && first.IsZero() {
				first = time.Now()
			} else if read >= n {
				last = time.Now()
				break
			}
		}
		if took := last.Sub(first); first.IsZero() || last.IsZero() || took < 2*time.Second {
			t.Errorf("%d MiB read in %v", n, took)
		}
	})
}
