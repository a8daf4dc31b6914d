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

// TestDamageFoundBeforeWriting harms a block under unchanged times. Reads do not meet it; the first flush
// does, before the engine may compact it, and everything is rebuilt from the log.
func TestDamageFoundBeforeWriting(t *testing.T) {
	root := t.TempDir()
	for i := range 2 {
		s, err := Open(t.Context(), root, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 300 {
			if err := putText(s, fmt.Sprint(i, " ", j), fmt.Sprint("text ", j)); err != nil {
				t.Fatal(err)
			}
		}
		if i == 1 {
			flushNow(t, s)
			if !s.incomplete() {
				t.Error("the flush did not look at the tables")
			}
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			harmTables(t, filepath.Join(root, "index"))
		}
	}
	s, err := Open(t.Context(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	for i := range 2 {
		for j := range 300 {
			if got, err := getText(s, fmt.Sprint(i, " ", j)); got != fmt.Sprint("text ", j) || err != nil {
				t.Fatalf("%d %d: %q, %v", i, j, got, err)
			}
		}
	}
	if s.incomplete() || s.Stats().Entries != 600 {
		t.Errorf("%d entries, incomplete %v", s.Stats().Entries, s.incomplete())
	}
}

// harmTables changes a byte of each table's first block and sets the times back.
func harmTables(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, path := range tables {
		if err := (harm{Kind: "byte", File: ".", Off: 100, Len: 1}).apply(path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := overlook(dir); err != nil {
		t.Fatal(err)
	}
}
