package framelog_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// After a failed fsync the bytes are made durable elsewhere and keep their positions.
func TestFailedSync(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "durable")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	ps := m.add(t, l, "one", "two", "three")
	faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
	if err := l.Sync(); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	m.intact(t, l)
	if files, err := mem.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%d files, %v, want the segment and its continuation", len(files), err)
	}
	calls := faults.Calls()
	if err := l.Sync(); err != nil || faults.Calls() > calls {
		t.Errorf("the next Sync makes %d calls, %v", faults.Calls()-calls, err)
	}
	p := m.add(t, l, "after")[0]
	if p.Segment != ps[0].Segment {
		t.Errorf("appended at %v after a failed sync", p)
	}
	m.intact(t, l)
	delete(m, p)
	m.intact(t, open(t, mem.Crash(vfs.Loss{}), dir, small()))
}

// The same for segments that are full already, and for failure upon failure.
func TestFailedSyncs(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	for range 4 {
		m.fill(t, l, 12)
		faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
		if err := l.Sync(); err != nil {
			t.Fatalf("Sync: %v", err)
		}
		m.fill(t, l, 2)
		faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
		if err := l.Sync(); err != nil {
			t.Fatalf("Sync: %v", err)
		}
	}
	m.intact(t, l)
	for name, tree := range map[string]*vfs.Mem{"kill": mem.Kill(), "power loss": mem.Crash(vfs.Loss{})} {
		s := scan(open(t, tree, dir, small()), framelog.Pos{})
		if len(s.lost()) > 0 {
			t.Errorf("%s: %v", name, s.damage)
		}
		m.compare(t, open(t, tree, dir, small()), s)
	}
}

// When nothing can be made durable the log refuses to go on, but still reads.
func TestSyncFailsForGood(t *testing.T) {
	for name, kind := range map[string]vfs.Kind{"file": vfs.OpSync, "folder": vfs.OpSyncDir} {
		t.Run(name, func(t *testing.T) {
			l, _, faults := faulty(t)
			m := model{}
			m.fill(t, l, 10)
			faults.SetHook(failKinds(syscall.EIO, kind))
			err := l.Sync()
			faults.SetHook(nil)
			_, aerr := appendAll(l, "more")
			for verb, err := range map[string]error{
				"Sync": err, "second Sync": l.Sync(), "Append": aerr, "Rotate": l.Rotate(), "Remove": l.Remove(1), "Close": l.Close(),
			} {
				if !errors.Is(err, framelog.ErrFailed) || !errors.Is(err, syscall.EIO) {
					t.Errorf("%s: %v", verb, err)
				}
			}
		})
	}
}

func TestReadsGoOnAfterFailure(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.fill(t, l, 10)
	faults.SetHook(failKinds(syscall.EIO, vfs.OpSync))
	if err := l.Sync(); !errors.Is(err, framelog.ErrFailed) {
		t.Fatalf("Sync: %v", err)
	}
	m.intact(t, l)
	l.Close()
	l = open(t, mem, dir, small())
	m.intact(t, l)
	m.fill(t, l, 10)
	m.intact(t, l)
}

// What is not read back as it was written is not made durable in place of it.
func TestFailedSyncLosesPages(t *testing.T) {
	l, mem, faults := faulty(t)
	p := model{}.add(t, l, "soon gone")[0]
	flip(t, mem, fileOf(1), int(p.Offset)+framelog.FrameHeader)
	faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
	if err := l.Sync(); !errors.Is(err, framelog.ErrFailed) || !errors.Is(err, framelog.ErrDamaged) {
		t.Errorf("Sync: %v", err)
	}
}

// A sync that fails while a failed write is cut off counts like any other: what was not
// durable is moved away.
func TestFailedCut(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "before")
	faults.SetHook(vfs.Chain(once(failedWrite()), once(failKinds(syscall.EIO, vfs.OpSync))))
	if _, err := appendAll(l, "does not count"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	m.intact(t, l)
	m.intact(t, open(t, mem.Crash(vfs.Loss{}), dir, small()))
}

// What a killed process appended, this one makes durable, the names of files too.
func TestSyncOfAnEarlierLife(t *testing.T) {
	mem, m := vfs.NewMem(dir), model{}
	m.fill(t, open(t, mem, dir, small()), 12)
	mem = mem.Kill()
	if err := open(t, mem, dir, small()).Sync(); err != nil {
		t.Fatal(err)
	}
	m.intact(t, open(t, mem.Crash(vfs.Loss{}), dir, small()))
}

// TestCloseIsDurable demands that a power loss after Close leaves the log as it was, its last roster too.
func TestCloseIsDurable(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	m.fill(t, l, 20)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	left := fsys.Crash(vfs.Loss{})
	entries, err := fsys.ReadDir(dir)
	if err != nil || len(entries) < 2 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if !bytes.Equal(readFile(t, left, name), readFile(t, fsys, name)) {
			t.Errorf("%s lost its end", name)
		}
	}
}
