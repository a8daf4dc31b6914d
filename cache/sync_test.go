package cache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// openFaults opens a store whose calls can be made to fail.
func openFaults(t *testing.T, o *Options) (*Store, *vfs.Faults, *vfs.Mem) {
	t.Helper()
	mem := vfs.NewMem("/d")
	faults := vfs.NewFaults(mem, nil)
	s, err := open(t.Context(), crashRoot, mustDefaults(t, o), seams{fs: faults, segmentBytes: 4 << 10,
		openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		faults.SetHook(nil)
		s.Close(t.Context())
	})
	return s, faults, mem
}

// textAfter opens what a crash left and returns what stands under a name.
func textAfter(t *testing.T, tree *vfs.Mem, name string) string {
	t.Helper()
	s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: tree,
		openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	got, err := getText(s, name)
	if err != nil {
		t.Error(err)
	}
	return got
}

// TestPayloadBeforeLog loses power at each step of a Sync: an entry that was durable is there, as it was or as what it
// was replaced with.
func TestPayloadBeforeLog(t *testing.T) {
	before, after := strings.Repeat("before ", 900), strings.Repeat("after ", 900)
	for step := 1; ; step++ {
		s, faults, mem := openFaults(t, nil)
		if err := errors.Join(putText(s, "k", before), s.Sync(t.Context()), putText(s, "k", after)); err != nil {
			t.Fatal(err)
		}
		faults.SetHook(vfs.CrashAt(faults.Steps() + step))
		err := s.Sync(t.Context())
		if _, crashed := faults.Crashed(); !crashed {
			if err != nil || step < 4 {
				t.Errorf("sync of %d steps: %v", step-1, err)
			}
			return
		}
		if got := textAfter(t, mem.Crash(vfs.Loss{}), "k"); got != before && got != after {
			t.Errorf("crash at step %d: %.20q", step, got)
		}
	}
}

// TestSyncGoesOn lets one fsync of many fail: Sync says so, and the next one makes durable what this one did not come to.
func TestSyncGoesOn(t *testing.T) {
	s, faults, mem := openFaults(t, nil)
	names := []string{"a", "b", "c", "d"}
	text := func(name string) string { return strings.Repeat(name, 5000) }
	for _, name := range names {
		if err := putText(s, name, text(name)); err != nil {
			t.Fatal(err)
		}
	}
	failed := ""
	faults.SetHook(func(o vfs.Op) (f vfs.Fault) {
		if o.Kind == vfs.OpSync && strings.Contains(filepath.ToSlash(o.Path), "/blobs/") && failed == "" {
			failed, f.Err = o.Path, errIO
		}
		return f
	})
	if err := s.Sync(t.Context()); !errors.Is(err, errIO) || s.unsyncedSince.Load() == 0 {
		t.Fatalf("sync: %v; waiting since %d", err, s.unsyncedSince.Load())
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	tree, lost := mem.Crash(vfs.Loss{}), 0
	for _, name := range names {
		if got := textAfter(t, tree.Kill(), name); got == "" {
			lost++
		} else if got != text(name) {
			t.Errorf("%s: %.20q", name, got)
		}
	}
	if lost != 1 { // its bytes were gone
		t.Errorf("%d entries are lost by one failed fsync", lost)
	}
}

// TestFailedSyncIsForgotten puts a content again after the fsync of its file has failed: what reads still show must not be
// taken for the file.
func TestFailedSyncIsForgotten(t *testing.T) {
	s, faults, mem := openFaults(t, nil)
	text := strings.Repeat("x", 5000)
	if err := putText(s, "a", text); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpSync }, vfs.Fault{Err: errIO}))
	if err := s.Sync(t.Context()); !errors.Is(err, errIO) {
		t.Fatalf("sync: %v", err)
	}
	faults.SetHook(nil)
	if err := errors.Join(putText(s, "b", text), s.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := textAfter(t, mem.Crash(vfs.Loss{}), "b"); got != text {
		t.Errorf("%d bytes after a power loss", len(got))
	}
}

// TestFailedLogKeepsWhatWasReplaced lets the fsync of the log fail for good: a power loss brings back what the failed put
// has replaced, for all that the store has done since.
func TestFailedLogKeepsWhatWasReplaced(t *testing.T) {
	before, after := strings.Repeat("before ", 900), strings.Repeat("after ", 900)
	r := newCrashRun(nil, Always)
	s, err := open(t.Context(), crashRoot, r.opt, r.seams(r.fault, &r.index))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	if err := putText(s, "k", before); err != nil {
		t.Fatal(err)
	}
	r.fault.SetHook(vfs.When(func(o vfs.Op) bool {
		return o.Kind == vfs.OpSync && strings.HasSuffix(o.Path, ".log") || strings.HasSuffix(o.Path, ".log.tmp")
	}, vfs.Fault{Err: errFull}))
	if err := putText(s, "k", after); !errors.Is(err, framelog.ErrFailed) {
		t.Fatalf("put: %v", err)
	}
	r.fault.SetHook(nil)
	if err := s.Delete(t.Context(), nameKey("k")); !errors.Is(err, framelog.ErrFailed) {
		t.Errorf("delete: %v", err)
	}
	s.commitMu.Lock()
	err = s.flush(false)
	s.commitMu.Unlock()
	if !errors.Is(err, framelog.ErrFailed) {
		t.Errorf("flush: %v", err)
	}
	for which, ix := range r.indexes(r.mem) {
		left := r.next(r.mem.Crash(vfs.Loss{Entries: vfs.Kept}), nil, ix)
		s, err := open(t.Context(), crashRoot, r.opt, left.seams(left.mem, &left.index))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := getText(s, "k"); err != nil || got != before {
			t.Errorf("%s: %.20q, %v", which, got, err)
		}
		s.Close(t.Context())
	}
}

// TestDurableFileStays puts content anew whose file is durable, and not trusted: until the new put is durable a power loss
// must not find less than before.
func TestDurableFileStays(t *testing.T) {
	text := strings.Repeat("x", 5000)
	for _, d := range []Durability{None, Group, Always} {
		s, faults, mem := openFaults(t, &Options{Durability: d})
		if err := errors.Join(putText(s, "k", text), s.Sync(t.Context())); err != nil {
			t.Fatal(err)
		}
		s.distrustBefore.Store(math.MaxUint32)
		faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpSync && strings.Contains(o.Path, "blobs") }, vfs.Fault{Crash: true}))
		if err := putText(s, "again", text); (err == nil) == (d == Always) {
			t.Errorf("put: %v", err)
		}
		if got := textAfter(t, mem.Crash(vfs.Loss{Entries: vfs.Kept}), "k"); got != text {
			t.Errorf("durability %d: %d bytes after a power loss", d, len(got))
		}
	}
}

// TestCloseIsDurable loses power after a Close.
func TestCloseIsDurable(t *testing.T) {
	for _, d := range []Durability{None, Group, Always} {
		s, _, mem := openFaults(t, &Options{Durability: d})
		text := strings.Repeat("x", 5000)
		if err := errors.Join(putText(s, "k", text), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := textAfter(t, mem.Crash(vfs.Loss{}), "k"); got != text {
			t.Errorf("durability %d: %d bytes after a power loss", d, len(got))
		}
	}
}

// TestFolderSyncGoesOn lets the fsync of the folder of payload folders fail: the next Sync must ask again.
func TestFolderSyncGoesOn(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := putText(s, "k", strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	asked := 0
	faults.SetHook(func(o vfs.Op) (f vfs.Fault) {
		if o.Kind == vfs.OpSyncDir && filepath.Base(o.Path) == "blobs" {
			if asked++; asked == 1 {
				f.Err = errIO
			}
		}
		return f
	})
	if err := s.Sync(t.Context()); !errors.Is(err, errIO) {
		t.Fatalf("sync: %v", err)
	}
	if err := s.Sync(t.Context()); err != nil || asked != 2 {
		t.Errorf("next sync: %v, the folder was synced %d times", err, asked)
	}
}

// TestFolderSyncWithoutDescriptors puts and parks while no folder can be opened to be synced: the put says that it is not
// durable, and the next one makes both so. A store is parked once its index can be synced.
func TestFolderSyncWithoutDescriptors(t *testing.T) {
	mem := vfs.NewMem("/d")
	faults := vfs.NewFaults(mem, nil)
	short := vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpSyncDir }, vfs.Fault{Err: syscall.EMFILE, Unopened: true})
	s := openTree(t, faults, &Options{Durability: Always}, 0)
	faults.SetHook(short)
	if err := putText(s, "a", "inline"); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("put: %v", err)
	}
	faults.SetHook(nil)
	if err := putText(s, "b", "inline"); err != nil {
		t.Fatal(err)
	}
	left := openTree(t, mem.Crash(vfs.Loss{}), nil, 0)
	for _, name := range []string{"a", "b"} {
		if got, err := getText(left, name); err != nil || got != "inline" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	flushNow(t, s)
	faults.SetHook(short)
	if s.park() || s.incomplete() {
		t.Error("parked, or taken for damaged")
	}
	faults.SetHook(nil)
	if err := parked(s); err != nil {
		t.Error(err)
	}
}

// TestFailedPutLetsGo fails a put on its way into place. When its content comes again and is deleted, the file goes.
func TestFailedPutLetsGo(t *testing.T) {
	s, faults, mem := openFaults(t, nil)
	text := strings.Repeat("x", 5000)
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpRename }, vfs.Fault{Err: errIO}))
	if err := putText(s, "k", text); !errors.Is(err, errIO) {
		t.Fatalf("put: %v", err)
	}
	faults.SetHook(nil)
	if err := errors.Join(putText(s, "k", text), s.Delete(t.Context(), nameKey("k"))); err != nil {
		t.Fatal(err)
	}
	folders, err := mem.ReadDir(crashRoot + "/blobs")
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	if files, err := mem.ReadDir(crashRoot + "/blobs/" + folders[0].Name()); err != nil || len(files) > 0 {
		t.Errorf("payload files stay: %v, %v", files, err)
	}
	if len(s.pay.pins) > 0 {
		t.Errorf("%d files are pinned for ever", len(s.pay.pins))
	}
}

// slowMkdir keeps who has made a folder of payload files from going on.
type slowMkdir struct {
	vfs.FS
	made, goOn chan struct{}
}

func (m slowMkdir) Mkdir(name string, perm fs.FileMode) error {
	err := m.FS.Mkdir(name, perm)
	if err == nil && filepath.Base(filepath.Dir(name)) == "blobs" {
		close(m.made)
		<-m.goOn
	}
	return err
}

// TestNewFolderIsDurable puts into a folder that another put has just made and not yet told of: the name of the folder is
// durable before the put is acknowledged.
func TestNewFolderIsDurable(t *testing.T) {
	mem := vfs.NewMem("/d")
	slow := slowMkdir{mem, make(chan struct{}), make(chan struct{})}
	s := openTree(t, slow, &Options{Durability: Always}, 0)
	s.blobsSynced = true // no earlier life has made any
	first := strings.Repeat("y", 2000)
	second := first
	for i := 0; second == first || sha256.Sum256([]byte(second))[0] != sha256.Sum256([]byte(first))[0]; i++ {
		second = fmt.Sprint(i, first)
	}
	acked := make(chan error, 2)
	go func() { acked <- putText(s, "a", first) }()
	<-slow.made
	go func() { acked <- putText(s, "b", second) }()
	var left *vfs.Mem
	select {
	case err := <-acked:
		if err != nil {
			t.Fatal(err)
		}
		left = mem.Crash(vfs.Loss{})
		close(slow.goOn)
	case <-time.After(50 * time.Millisecond): // it waits for the other, rightly
		close(slow.goOn)
		if err := <-acked; err != nil {
			t.Fatal(err)
		}
	}
	if err := <-acked; err != nil {
		t.Fatal(err)
	}
	if left == nil {
		left = mem.Crash(vfs.Loss{})
	}
	if got, err := getText(openTree(t, left, nil, 0), "b"); err != nil || got != second {
		t.Errorf("acknowledged, and lost: %.20q, %v", got, err)
	}
}
