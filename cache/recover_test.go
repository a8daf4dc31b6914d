package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// openTree opens a store in a tree of memory, with a real index that is written after some changes; 0 is the default.
func openTree(t *testing.T, fsys vfs.FS, o *Options, after int) *Store {
	t.Helper()
	s, err := open(t.Context(), crashRoot, mustDefaults(t, o), seams{fs: fsys, segmentBytes: 64 << 10, flushAfter: after})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// TestKillWhileCatchingUp kills a process that has written the index in the midst of catching up with the log: the next one
// catches up with the rest.
func TestKillWhileCatchingUp(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 1000)
	putAll := func(text string) {
		for i := range 8 {
			if err := putText(s, fmt.Sprint("k", i), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	putAll("old")
	flushNow(t, s)
	putAll("new")
	for range 2 {
		mem = mem.Kill()
		s = openTree(t, mem, nil, 5) // catches up, and writes the index after 5
		for i := range 8 {
			if got, err := getText(s, fmt.Sprint("k", i)); err != nil || got != "new" {
				t.Errorf("k%d: %q, %v", i, got, err)
			}
		}
	}
}

// noSpace is a disk that is full for files with a text in their path.
func noSpace(dir string) vfs.Hook {
	return vfs.When(func(o vfs.Op) bool {
		return o.Kind == vfs.OpWrite && strings.Contains(o.Path, dir)
	}, vfs.Fault{Err: syscall.ENOSPC})
}

// TestFullDiskWhileCatchingUp opens a store whose index cannot be written: it is caught up in memory.
func TestFullDiskWhileCatchingUp(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 1000)
	for i := range 20 {
		if err := putText(s, fmt.Sprint("k", i), "text"); err != nil {
			t.Fatal(err)
		}
	}
	flushNow(t, s)
	for i := range 20 {
		if err := putText(s, fmt.Sprint("n", i), "text"); err != nil {
			t.Fatal(err)
		}
	}
	s = openTree(t, vfs.NewFaults(mem.Kill(), noSpace("index")), nil, 5)
	if s.incomplete() {
		t.Error("a full disk has thrown the index away")
	}
	for _, name := range []string{"k1", "n19"} {
		if got, err := getText(s, name); got != "text" || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestFullDiskAfterRebuild finds the index damaged on a full disk: what was read back is there although it cannot be written.
func TestFullDiskAfterRebuild(t *testing.T) {
	faults := vfs.NewFaults(vfs.NewMem("/d"), nil)
	s := openTree(t, faults, nil, 1000)
	if err := putText(s, "k", "text"); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(noSpace("index"))
	s.distrust(errors.New("lost by the test"))
	for range 2 {
		if got, err := getText(s, "k"); got != "text" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestSyncAfterKill syncs what a process has put that was killed, its payload files too.
func TestSyncAfterKill(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 0)
	big := strings.Repeat("0123456789", 500)
	if err := putText(s, "first", "inline"); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	if err := errors.Join(putText(s, "k", big), putText(s, "small", "inline")); err != nil {
		t.Fatal(err)
	}
	left := mem.Kill()
	s = openTree(t, left, nil, 0)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]vfs.Loss{"lost": {}, "entries kept": {Entries: vfs.Kept}} {
		s := openTree(t, left.Crash(l), nil, 0)
		for key, want := range map[string]string{"k": big, "small": "inline"} {
			if got, err := getText(s, key); err != nil || got != want {
				t.Errorf("%s: %s: %.20q, %v", name, key, got, err)
			}
		}
	}
}
