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

// session opens the store in root for some verbs.
func session(t *testing.T, root string, verbs func(*Store)) {
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

// TestQuietIndex leaves the index as it is while nothing changes.
func TestQuietIndex(t *testing.T) {
	root := t.TempDir()
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
	session(t, root, func(s *Store) { put(s, "a", "first") })
	before := indexTimes(t, root)
	session(t, root, func(s *Store) { want(s, "a", "first") })
	if after := indexTimes(t, root); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("reading changed the index from\n%v to\n%v", before, after)
	}
	session(t, root, func(s *Store) {
		put(s, "a", "second")
		put(s, "b", "new")
		flushNow(t, s)
		want(s, "a", "second")
	})
	session(t, root, func(s *Store) {
		want(s, "a", "second")
		want(s, "b", "new")
		if !s.park() {
			t.Error("not parked")
		}
		put(s, "c", "after parking")
		want(s, "a", "second")
	})
	session(t, root, func(s *Store) { want(s, "c", "after parking") })
}

// TestDamagedTables harms the first leaf of each table of the index. Whoever meets that has the index rebuilt from the log.
func TestDamagedTables(t *testing.T) {
	root := t.TempDir()
	session(t, root, func(s *Store) {
		for i := range 300 {
			if err := putText(s, fmt.Sprint(i), fmt.Sprint("text ", i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	tables, err := filepath.Glob(filepath.Join(root, "index", "*.table"))
	if err != nil || len(tables) == 0 {
		t.Fatal(tables, err)
	}
	for _, path := range tables {
		if err := (harm{Kind: "byte", File: ".", Off: 100, Len: 1}).apply(path, nil); err != nil {
			t.Fatal(err)
		}
	}
	session(t, root, func(s *Store) {
		for i := range 300 {
			if got, err := getText(s, fmt.Sprint(i)); got != fmt.Sprint("text ", i) || err != nil {
				t.Fatalf("%d: %q, %v", i, got, err)
			}
		}
		if n := s.Stats().Corrupt; n != 1 {
			t.Errorf("%d reports of damage", n)
		}
	})
	session(t, root, func(s *Store) {
		if s.incomplete() || s.Stats().Entries != 300 {
			t.Errorf("%d entries, incomplete %v", s.Stats().Entries, s.incomplete())
		}
	})
}

// TestCommitsMergeTheIndex has putters do the work of keeping the index's tables few.
func TestCommitsMergeTheIndex(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), dir, &Options{Durability: None})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	for i := range 14 * flushAfter {
		if err := putText(s, fmt.Sprint(i), "text"); err != nil {
			t.Fatal(err)
		}
	}
	tables, err := os.ReadDir(filepath.Join(dir, "index"))
	if err != nil || len(tables) > 8 {
		t.Errorf("%d tables, %v", len(tables), err)
	}
}
