package cache

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestDeletesOnFullDisk deletes while the log has no room: the file goes at once, and what is done when there is room again
// logs the delete, so that it outlives the process and the index.
func TestDeletesOnFullDisk(t *testing.T) {
	for name, then := range map[string]func(s *Store) error{
		"put":          func(s *Store) error { return putText(s, "other", "new") },
		"put the same": func(s *Store) error { return putText(s, "inline", "new") },
		"sync":         func(s *Store) error { return s.Sync(context.Background()) },
		"close":        func(s *Store) error { return s.Close(context.Background()) },
		"run": func(s *Store) error {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			if err := s.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fsys := vfs.NewFaults(vfs.NewMem("/d"), nil)
				s := openFaulty(t, fsys)
				if err := errors.Join(putText(s, "inline", "old"), putText(s, "file", strings.Repeat("old ", 999))); err != nil {
					t.Fatal(err)
				}
				deleteOnFullDisk(t, s, fsys)
				if err := then(s); err != nil {
					t.Fatalf("when there is room again: %v", err)
				}
				s = openFaulty(t, fsys) // the first died
				for deleted, want := range map[string]string{"inline": "", "file": ""} {
					if deleted == "inline" && name == "put the same" {
						want = "new"
					}
					if got, err := getText(s, deleted); err != nil || got != want {
						t.Errorf("%s: %.10q, %v, want %q", deleted, got, err, want)
					}
				}
				if n := s.Stats().Corrupt; n > 0 {
					t.Errorf("%d corrupt", n)
				}
			})
		})
	}
}

// openFaulty opens the root with an empty index.
func openFaulty(t *testing.T, fsys vfs.FS) *Store {
	t.Helper()
	s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: fsys,
		openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func deleteOnFullDisk(t *testing.T, s *Store, fsys *vfs.Faults) {
	t.Helper()
	fsys.SetHook(vfs.When(func(o vfs.Op) bool {
		return (o.Kind == vfs.OpWrite || o.Kind == vfs.OpOpen) && strings.Contains(filepath.ToSlash(o.Path), "/log/")
	}, vfs.Fault{Err: errFull}))
	for _, name := range []string{"inline", "file"} {
		if err := s.Delete(t.Context(), nameKey(name)); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
		if got, err := getText(s, name); err != nil || got != "" {
			t.Errorf("%s after its delete: %.10q, %v", name, got, err)
		}
	}
	if st := s.Stats(); st.Payloads != 0 || st.Entries != 0 {
		t.Errorf("stats: %+v", st)
	}
	if err := putText(s, "more", "x"); !errors.Is(err, ErrNoSpace) {
		t.Errorf("put: %v", err)
	}
	if err := s.Sync(t.Context()); !errors.Is(err, ErrNoSpace) {
		t.Errorf("sync: %v", err)
	}
	fsys.SetHook(nil)
}
