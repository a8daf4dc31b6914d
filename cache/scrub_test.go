package cache

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
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
