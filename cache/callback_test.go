package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// within fails the test when verb does not return: the callback waits for a lock that its own goroutine holds.
func within(t *testing.T, what string, verb func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- verb() }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s hangs", what)
		return nil
	}
}

// caller is an OnCorrupt that calls every verb that takes locks.
type caller struct {
	s    *Store
	told []Corruption
}

func (c *caller) onCorrupt(co Corruption) {
	c.told = append(c.told, co)
	if c.s == nil {
		return
	}
	ctx := context.Background()
	c.s.Stats()
	getText(c.s, "absent")
	putText(c.s, "from the callback", "x")
	c.s.Delete(ctx, nameKey("absent"))
	c.s.Sync(ctx)
	for range c.s.All(ctx) {
	}
}

// TestCallbackDuringRebuild damages the log under an index that is gone.
func TestCallbackDuringRebuild(t *testing.T) {
	dir := t.TempDir()
	s, err := open(t.Context(), dir, mustDefaults(t, nil), osSeams(4<<10))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := putText(s, fmt.Sprint(i), strings.Repeat("x", 900)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	if err != nil || len(logs) < 2 {
		t.Fatal(logs, err)
	}
	f, err := os.OpenFile(logs[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("damage"), 1500)
	if err = errors.Join(err, f.Close(), os.RemoveAll(filepath.Join(dir, "index"))); err != nil {
		t.Fatal(err)
	}
	var c caller
	s, err = open(t.Context(), dir, mustDefaults(t, &Options{OnCorrupt: c.onCorrupt}), osSeams(4<<10))
	if err != nil {
		t.Fatal(err)
	}
	c.s, c.told = s, nil
	err = within(t, "a get that rebuilds", func() error { _, err := getText(s, "absent"); return err })
	if err != nil || len(c.told) == 0 || c.told[0].Path != "log" || c.told[0].Time.IsZero() {
		t.Errorf("get: %v, told of %+v", err, c.told)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCallbackOfFailedFsync calls back for a payload file that could not be synced.
func TestCallbackOfFailedFsync(t *testing.T) {
	faults := vfs.NewFaults(vfs.NewMem("/d"), nil)
	var c caller
	s, err := open(t.Context(), crashRoot, mustDefaults(t, &Options{OnCorrupt: c.onCorrupt}),
		seams{fs: faults, openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	c.s = s
	if err := putText(s, "k", strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(vfs.When(func(o vfs.Op) bool {
		return o.Kind == vfs.OpSync && strings.Contains(filepath.ToSlash(o.Path), "/blobs/")
	}, vfs.Fault{Err: errIO}))
	err = within(t, "a sync that fails", func() error { return s.Sync(t.Context()) })
	faults.SetHook(nil)
	if !errors.Is(err, errIO) || len(c.told) != 1 || filepath.IsAbs(c.told[0].Path) || c.told[0].Time.IsZero() {
		t.Errorf("sync: %v, told of %+v", err, c.told)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
