//go:build unix

package cache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// indexTimes is when each file of the index was last changed.
func indexTimes(t *testing.T, root string) map[string]time.Time {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "index"))
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]time.Time{}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		times[e.Name()] = fi.ModTime()
	}
	return times
}

// TestLazyIndex leaves the index as it is while nothing changes, and takes the first change all the same.
func TestLazyIndex(t *testing.T) {
	root := t.TempDir()
	session := func(verbs func(*Store)) {
		t.Helper()
		s, err := Open(t.Context(), root, nil)
		if err != nil {
			t.Fatal(err)
		}
		verbs(s)
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	want := func(s *Store, name, text string) {
		t.Helper()
		if got, err := getText(s, name); got != text || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	put := func(s *Store, name, text string) {
		t.Helper()
		if err := putText(s, name, text); err != nil {
			t.Fatal(err)
		}
	}
	session(func(s *Store) { put(s, "a", "first") })
	before := indexTimes(t, root)
	session(func(s *Store) {
		want(s, "a", "first")
		if !s.indexReadOnly {
			t.Error("the index is open for writing, though there is nothing to write")
		}
	})
	if after := indexTimes(t, root); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("reading changed the index from\n%v to\n%v", before, after)
	}
	session(func(s *Store) {
		put(s, "a", "second")
		put(s, "b", "new")
		flushNow(t, s)
		want(s, "a", "second")
	})
	session(func(s *Store) {
		want(s, "a", "second")
		want(s, "b", "new")
		if !s.park() {
			t.Error("not parked")
		}
		put(s, "c", "after parking")
		want(s, "a", "second")
	})
	session(func(s *Store) { want(s, "c", "after parking") })
}
