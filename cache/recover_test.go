package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
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

// TestSyncAfterKill makes durable what a process has put that was killed, its payload files too, whether its index has the
// entries or not.
func TestSyncAfterKill(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 0)
	want := map[string]string{"first": "inline", "small": "inline too"}
	for i := range 9 {
		want[fmt.Sprint("k", i)] = strings.Repeat(fmt.Sprint(i), 5000)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := putText(s, name, want[name]); err != nil {
			t.Fatal(err)
		}
		if name == "k5" {
			flushNow(t, s)
		}
	}
	sync := func(s *Store) error { return s.Sync(t.Context()) }
	for name, c := range map[string]struct {
		before func(killed *vfs.Mem) *vfs.Mem
		end    func(s *Store) error
	}{
		"sync":  {nil, sync},
		"close": {nil, func(s *Store) error { return s.Close(t.Context()) }},
		"park":  {nil, parked},
		"group": {nil, func(s *Store) error {
			err := putText(s, "later", "inline")
			s.unsyncedSince.Store(1) // long ago
			s.syncDue()
			return err
		}},
		"without an index": {func(killed *vfs.Mem) *vfs.Mem {
			if err := removeAll(killed, filepath.Join(crashRoot, "index")); err != nil {
				t.Fatal(err)
			}
			return killed
		}, sync},
		"killed again, its own files synced": {func(killed *vfs.Mem) *vfs.Mem {
			s := openTree(t, killed, nil, 0)
			if err := errors.Join(putText(s, "later", "inline"), s.syncFiles()); err != nil {
				t.Fatal(err)
			}
			flushNow(t, s)
			return killed.Kill()
		}, sync},
	} {
		killed := mem.Kill()
		if c.before != nil {
			killed = c.before(killed)
		}
		if err := c.end(openTree(t, killed, nil, 0)); err != nil {
			t.Fatal(err)
		}
		for loss, l := range map[string]vfs.Loss{"lost": {}, "entries kept": {Entries: vfs.Kept}} {
			s := openTree(t, killed.Crash(l), nil, 0)
			for key, text := range want {
				if got, err := getText(s, key); err != nil || got != text {
					t.Errorf("%s, %s: %s: %.20q, %v", name, loss, key, got, err)
				}
			}
		}
	}
}

func parked(s *Store) error {
	if !s.park() {
		return errors.New("not parked")
	}
	return nil
}

// TestShareWithAKilledLife puts a content whose file a killed process has left, which has been verified since: what is
// acknowledged as durable is.
func TestShareWithAKilledLife(t *testing.T) {
	mem, text, clock := vfs.NewMem("/d"), strings.Repeat("0123456789", 500), newClock()
	s := openTree(t, mem, &Options{Now: clock.now}, 0)
	if err := putText(s, "a", text); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	killed := mem.Kill()
	s = openTree(t, killed, &Options{Durability: Always, Now: clock.now}, 0)
	clock.add(10)
	a, err := s.Get(t.Context(), nameKey("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	if _, err := a.Path("out"); err != nil {
		t.Fatal(err)
	}
	if err := putText(s, "b", text); err != nil {
		t.Fatal(err)
	}
	if got := textAfter(t, killed.Crash(vfs.Loss{}), "b"); got != text {
		t.Errorf("after a power loss: %.20q", got)
	}
}

// TestAlwaysLeavesNothingToSync kills a process that has put durably: the next one syncs no payload file again.
func TestAlwaysLeavesNothingToSync(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, &Options{Durability: Always}, 0)
	for _, name := range []string{"a", "b"} { // the position that the index has is that before the last group
		if err := putText(s, name, strings.Repeat("0123456789", 500)+name); err != nil {
			t.Fatal(err)
		}
	}
	flushNow(t, s)
	faults, synced := vfs.NewFaults(mem.Kill(), nil), 0
	s = openTree(t, faults, nil, 0)
	faults.SetHook(func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpSync && strings.Contains(filepath.ToSlash(o.Path), "/blobs/") {
			synced++
		}
		return vfs.Fault{}
	})
	if err := s.Sync(t.Context()); err != nil || synced > 1 {
		t.Errorf("%d synced, %v", synced, err)
	}
}

// TestSyncAfterKillBesideCommits syncs what a killed process has put: commits, which may need syncMu, do not wait for that.
func TestSyncAfterKillBesideCommits(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 0)
	if err := putText(s, "k", strings.Repeat("0123456789", 500)); err != nil {
		t.Fatal(err)
	}
	faults, synced := vfs.NewFaults(mem.Kill(), nil), 0
	s = openTree(t, faults, &Options{Durability: Always}, 0)
	faults.SetHook(func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpSync && strings.Contains(filepath.ToSlash(o.Path), "/blobs/") {
			synced++
			if !s.syncMu.TryLock() {
				t.Error("commits wait")
			} else {
				s.syncMu.Unlock()
			}
		}
		return vfs.Fault{}
	})
	if err := s.Sync(t.Context()); err != nil || synced == 0 {
		t.Errorf("%d synced, %v", synced, err)
	}
}

// TestFolderOfKilledDraft kills a process that has made a folder of payload files for a draft and logged nothing: the next
// one finds the root as a close has left it, puts into the folder, and makes that durable all the same.
func TestFolderOfKilledDraft(t *testing.T) {
	big := strings.Repeat("0123456789", 500)
	for _, d := range []Durability{None, Group, Always} {
		mem := vfs.NewMem("/d")
		s := openTree(t, mem, nil, 0)
		if err := errors.Join(putText(s, "other", "inline"), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		s = openTree(t, mem, nil, 0)
		if err := s.NewDraft().Add("out", 0o644, strings.NewReader(big)); err != nil {
			t.Fatal(err)
		}
		mem = mem.Kill()
		s = openTree(t, mem, &Options{Durability: d}, 0)
		err := putText(s, "k", big)
		if d != Always {
			err = errors.Join(err, s.Sync(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
		s = openTree(t, mem.Crash(vfs.Loss{}), nil, 0)
		if got, err := getText(s, "k"); err != nil || got != big {
			t.Errorf("durability %d: %.20q, %v", d, got, err)
		}
	}
}

// TestNoDescriptors has no descriptor left to open a segment of the log with, for a get and for a rebuild: nothing is dropped
// for that.
func TestNoDescriptors(t *testing.T) {
	for name, begin := range map[string]func(*Store){
		"get":     func(*Store) {},
		"rebuild": func(s *Store) { s.distrust(errors.New("lost by the test")) },
	} {
		mem := vfs.NewMem("/d")
		s := openTree(t, mem, nil, 0)
		texts := []string{"inline", "multi"}
		for _, text := range texts {
			if err := putText(s, text, text); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.flog.Rotate(), putText(s, "other", "text"), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		faults := vfs.NewFaults(mem, nil)
		s = openTree(t, faults, nil, 0)
		begin(s)
		faults.SetHook(vfs.When(func(o vfs.Op) bool {
			return o.Kind == vfs.OpOpen && strings.HasSuffix(o.Path, ".log")
		}, vfs.Fault{Err: syscall.EMFILE}))
		for _, text := range texts {
			if got, err := getText(s, text); !errors.Is(err, syscall.EMFILE) {
				t.Errorf("%s of %s: %q, %v", name, text, got, err)
			}
		}
		faults.SetHook(nil)
		for _, text := range texts {
			if got, err := getText(s, text); err != nil || got != text {
				t.Errorf("%s of %s with descriptors again: %q, %v", name, text, got, err)
			}
		}
	}
}

// TestUnreadableSegment takes the permission to read a segment of the log away: an Open, and a verb that has to rebuild the
// index, end with an error that says what to do, and with the permission back all is there.
func TestUnreadableSegment(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 0)
	err := errors.Join(putText(s, "k", "text"), s.flog.Rotate(), putText(s, "other", "text"), s.Close(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	denied := vfs.When(func(o vfs.Op) bool {
		return o.Kind == vfs.OpOpen && strings.HasSuffix(o.Path, "1.log")
	}, vfs.Fault{Err: syscall.EACCES})
	clear := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: vfs.NewFaults(mem, denied)})
	clear("the root must belong to this user", explain(err)) // as Open does
	faults := vfs.NewFaults(mem, nil)
	s = openTree(t, faults, nil, 0)
	s.distrust(errors.New("lost by the test"))
	faults.SetHook(denied)
	for range 2 {
		_, err = getText(s, "k")
		clear("rebuild the index from the log: the root must belong to this user", err)
	}
	faults.SetHook(nil)
	if got, err := getText(s, "k"); err != nil || got != "text" {
		t.Errorf("with the permission again: %q, %v", got, err)
	}
}

// TestOpenWithoutDescriptors lets each open of a file fail, and all from it on, while a store is opened whose index has to
// catch up with two segments: nothing is set aside for that, and the next Open finds all.
func TestOpenWithoutDescriptors(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 0)
	if err := putText(s, "first", "text"); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	names := []string{"first", "second", "third"}
	for _, name := range names[1:] {
		if err := errors.Join(putText(s, name, "text"), s.flog.Rotate()); err != nil {
			t.Fatal(err)
		}
	}
	for _, once := range []bool{false, true} {
		for n, failed := 1, true; failed; n++ {
			failed = openShort(t, mem.Kill(), names, n, once)
		}
	}
}

// openShort opens a tree where the n-th open of a file fails, and all later ones unless it is once, and reports whether
// there were so many.
func openShort(t *testing.T, mem *vfs.Mem, names []string, n int, once bool) (failed bool) {
	opened := 0
	faults := vfs.NewFaults(mem, func(o vfs.Op) (f vfs.Fault) {
		if o.Kind != vfs.OpOpen {
			return f
		}
		if opened++; opened == n || opened > n && !once {
			f.Err, failed = syscall.EMFILE, true
		}
		return f
	})
	o := mustDefaults(t, &Options{OnCorrupt: func(c Corruption) { t.Errorf("open %d: %v", n, c) }})
	s, err := open(t.Context(), crashRoot, o, seams{fs: faults, segmentBytes: 64 << 10})
	faults.SetHook(nil)
	switch {
	case err == nil:
		defer s.Close(t.Context())
	case !errors.Is(err, syscall.EMFILE):
		t.Errorf("open %d: %v", n, err)
	default:
		s = openTree(t, mem, nil, 0)
	}
	aside, err := mem.ReadDir(filepath.Join(crashRoot, "quarantine"))
	if len(aside) > 0 || err != nil && !isNotExist(err) || s.incomplete() {
		t.Errorf("open %d: %v set aside, %v", n, aside, err)
	}
	for _, name := range names {
		if got, err := getText(s, name); err != nil || got != "text" {
			t.Errorf("open %d: %s: %q, %v", n, name, got, err)
		}
	}
	return failed
}
