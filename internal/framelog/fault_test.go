package framelog_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// faulty opens a log over a memory that fails on demand.
func faulty(t *testing.T) (*framelog.Log, *vfs.Mem, *vfs.Faults) {
	t.Helper()
	mem := vfs.NewMem(dir)
	faults := vfs.NewFaults(mem, nil)
	return open(t, faults, dir, small()), mem, faults
}

// failKinds fails the given kinds of calls.
func failKinds(err error, kinds ...vfs.Kind) vfs.Hook {
	return vfs.When(func(op vfs.Op) bool {
		return slices.Contains(kinds, op.Kind)
	}, vfs.Fault{Err: err})
}

// once lets only the first call that h picks fail.
func once(h vfs.Hook) vfs.Hook {
	done := false
	return func(op vfs.Op) vfs.Fault {
		if done {
			return vfs.Fault{}
		}
		f := h(op)
		done = f.Err != nil
		return f
	}
}

func TestDiskFull(t *testing.T) {
	mem, m := vfs.NewMem(dir), model{}
	l := open(t, mem, dir, small())
	m.fill(t, l, 20)
	mem.SetSize(l.Size() + 100)
	var err error
	for i := 0; err == nil && i < 100; i++ {
		var ps []framelog.Pos
		if ps, err = appendAll(l, "to the brim"); err == nil {
			m[ps[0]] = "to the brim"
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("append to a full disk: %v", err)
	}
	segments := len(l.Segments())
	for range 20 {
		if _, err := appendAll(l, "a", "bc", strings.Repeat("d", 600)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("append to a full disk: %v", err)
		}
	}
	if n := len(l.Segments()); n > segments+1 {
		t.Errorf("failed appends left %d segments", n-segments)
	}
	m.intact(t, l)
	if err := l.Remove(1); err != nil {
		t.Errorf("Remove on a full disk: %v", err)
	}
	for p := range m {
		if p.Segment == 1 {
			delete(m, p)
		}
	}
	m.intact(t, open(t, mem.Kill(), dir, small()))
	m.add(t, l, "space is back")
	m.intact(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	m.intact(t, open(t, mem, dir, small()))
}

// Bytes of a failed write that cannot be cut off are covered, in this life and the next.
func TestFailedTruncate(t *testing.T) {
	for name, c := range map[string]struct {
		later bool // not at once
		next  func(*framelog.Log) error
	}{
		"covered at once":            {next: (*framelog.Log).Sync},
		"covered by the next append": {later: true, next: (*framelog.Log).Sync},
		"covered by Rotate":          {later: true, next: (*framelog.Log).Rotate},
		"covered by Close":           {later: true, next: (*framelog.Log).Close},
	} {
		t.Run(name, func(t *testing.T) {
			l, mem, faults := faulty(t)
			m := model{}
			m.add(t, l, "before")
			kinds := failKinds(syscall.EIO, vfs.OpTruncate)
			if c.later {
				kinds = failKinds(syscall.EIO, vfs.OpTruncate, vfs.OpOpen)
			}
			write := vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Path == fileOf(1) },
				vfs.Fault{Err: syscall.EIO, Partial: 1 << 20})
			faults.SetHook(vfs.Chain(kinds, write))
			if _, err := appendAll(l, "does", "not", "count"); !errors.Is(err, syscall.EIO) {
				t.Fatalf("append: %v", err)
			}
			faults.SetHook(nil)
			if !c.later {
				m.intact(t, open(t, mem.Kill(), dir, small()))
			}
			m.intact(t, l)
			if err := c.next(l); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(name, "Close") {
				m.add(t, l, "after")
				m.intact(t, open(t, mem.Kill(), dir, small()))
				m.add(t, l, "and")
				m.add(t, l, "on")
				if files, err := mem.ReadDir(dir); err != nil || len(files) > 3 {
					t.Errorf("%d files, %v: appends go on moving away", len(files), err)
				}
				m.intact(t, l)
				m.intact(t, open(t, mem.Kill(), dir, small()))
				l.Close()
			}
			m.intact(t, open(t, mem.Crash(vfs.Loss{}), dir, small()))
		})
	}
}

// A sector that cannot be read costs the frames in it.
func TestUnreadable(t *testing.T) {
	mem, m := vfs.NewMem(dir), model{}
	o := small()
	o.SegmentBytes = 1 << 20
	l := open(t, mem, dir, o)
	for range 20 {
		m.add(t, l, strings.Repeat("y", 3000))
	}
	l.Close()
	const bad = 20000
	l = open(t, vfs.NewFaults(mem, vfs.When(func(op vfs.Op) bool {
		return op.Kind == vfs.OpRead && op.Off <= bad && bad < op.Off+int64(op.Size)
	}, vfs.Fault{Err: syscall.EIO})), dir, o)
	s := scan(l, framelog.Pos{})
	if len(s.damage) != 1 || s.damage[0].Reason != framelog.Unreadable || !errors.Is(s.damage[0], syscall.EIO) {
		t.Fatalf("damage %v", s.damage)
	}
	if len(s.frames) < 17 {
		t.Errorf("%d frames are left", len(s.frames))
	}
}

// Files appear under a name that counts only when they are whole.
func TestCreateFails(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "one")
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[vfs.Kind]int{vfs.OpOpen: 0, vfs.OpWrite: 1} {
		closed := 0
		faults.SetHook(vfs.Chain(once(failKinds(syscall.EIO, kind)), func(op vfs.Op) vfs.Fault {
			if op.Kind == vfs.OpClose {
				closed++
			}
			return vfs.Fault{}
		}))
		if _, err := appendAll(l, "two"); !errors.Is(err, syscall.EIO) || closed != want {
			t.Errorf("append when %v fails: %v, %d files closed, want %d", kind, err, closed, want)
		}
	}
	faults.SetHook(nil)
	if p := m.add(t, l, "three")[0]; p.Segment != 2 {
		t.Errorf("appended at %v", p)
	}
	m.intact(t, open(t, mem.Kill(), dir, small()))
}

// A roster that could not be written is written with the next append.
func TestRosterFails(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "one")
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	m.add(t, l, "two")
	if err := l.Sync(); err != nil { // now segment 1 is durable, and no roster says so
		t.Fatal(err)
	}
	faults.SetHook(once(failKinds(syscall.EIO, vfs.OpWrite)))
	if _, err := appendAll(l, "fails"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	m.add(t, l, "three")
	tree := mem.Kill()
	resize(t, tree, 1, -8)
	if s := scan(open(t, tree, dir, small()), framelog.Pos{}); len(s.lost()) != 1 {
		t.Errorf("damage %v", s.damage)
	}
}

// failedWrite makes every write reach the file in full and fail all the same.
func failedWrite() vfs.Hook {
	return vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite }, vfs.Fault{Err: syscall.EIO, Partial: 1 << 20})
}

// A Sync that cannot cover what a failed write left behind does not say that all is well, and
// the next one tries again.
func TestSyncCoversFailedWrite(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "before")
	faults.SetHook(vfs.Chain(failKinds(syscall.EIO, vfs.OpTruncate, vfs.OpOpen), failedWrite()))
	if _, err := appendAll(l, "does", "not", "count"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	if err := l.Sync(); !errors.Is(err, syscall.EIO) || errors.Is(err, framelog.ErrFailed) {
		t.Errorf("Sync: %v", err)
	}
	faults.SetHook(nil)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	m.intact(t, open(t, mem.Kill(), dir, small()))
	m.add(t, l, "after")
	m.intact(t, l)
}

// When a group has failed, no power loss brings it back.
func TestFailedWriteStaysAway(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "before")
	faults.SetHook(failedWrite())
	if _, err := appendAll(l, "does", "not", "count"); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	faults.SetHook(nil)
	for seed := range uint64(100) {
		s := scan(open(t, mem.Crash(vfs.Torn(seed)), dir, small()), framelog.Pos{})
		for p, body := range s.frames {
			if m[p] != body {
				t.Fatalf("seed %d: %q is back", seed, body)
			}
		}
	}
}

// A group larger than a segment that cannot be written leaves one new segment, not one for
// each try.
func TestLargeGroupFails(t *testing.T) {
	l, _, faults := faulty(t)
	m := model{}
	m.add(t, l, "before")
	faults.SetHook(vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Size > 500 }, vfs.Fault{Err: syscall.ENOSPC}))
	for range 5 {
		if _, err := appendAll(l, strings.Repeat("large", 200)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("append: %v", err)
		}
	}
	if n := len(l.Segments()); n > 2 {
		t.Errorf("%d segments", n)
	}
	faults.SetHook(nil)
	m.add(t, l, strings.Repeat("large", 200))
	m.intact(t, l)
}

// The end of the log that cannot be read is not taken for torn.
func TestUnreadableEnd(t *testing.T) {
	mem, m := vfs.NewMem(dir), model{}
	ps := m.fill(t, open(t, mem, dir, small()), 3)
	l := open(t, vfs.NewFaults(mem, vfs.When(func(op vfs.Op) bool {
		return op.Kind == vfs.OpRead && op.Off+int64(op.Size) > int64(ps[2].Offset)
	}, vfs.Fault{Err: syscall.EIO})), dir, small())
	for range 2 {
		if s := scan(l, framelog.Pos{}); len(s.damage) != 1 || s.damage[0].Reason != framelog.Unreadable {
			t.Fatalf("damage %v", s.damage)
		}
	}
}

// A file that cannot be opened for lack of descriptors is not damaged.
func TestNoDescriptors(t *testing.T) {
	fsys := vfs.NewMem(dir)
	l := open(t, fsys, dir, small())
	m := model{}
	first := m.fill(t, l, 30)[0]
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	faults := vfs.NewFaults(fsys, nil)
	l = open(t, faults, dir, small())
	faults.SetHook(vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpOpen }, vfs.Fault{Err: syscall.EMFILE}))
	tell := func(what string, err error) {
		if errors.Is(err, framelog.ErrDamaged) || !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := l.ReadFrame(first, nil)
	tell("read of a frame", err)
	tell("read of a body", l.ReadBody(first, 0, make([]byte, 1)))
	for _, err := range l.Scan(framelog.Pos{}) {
		tell("scan", err)
	}
	for _, err := range l.ScanSegment(first.Segment) {
		tell("scan of a segment", err)
	}
	faults.SetHook(nil)
	m.intact(t, l)
}

// A Sync that cannot open the folder, or a file of an earlier life, for lack of descriptors can be made again.
func TestSyncWithoutDescriptors(t *testing.T) {
	fsys := vfs.NewMem(dir)
	m := model{}
	m.fill(t, open(t, fsys, dir, small()), 30)
	fsys = fsys.Kill()
	faults := vfs.NewFaults(fsys, nil)
	l := open(t, faults, dir, small())
	for _, kind := range []vfs.Kind{vfs.OpOpen, vfs.OpSyncDir} {
		faults.SetHook(vfs.When(func(op vfs.Op) bool { return op.Kind == kind }, vfs.Fault{Err: syscall.EMFILE, Unopened: true}))
		if err := l.Sync(); errors.Is(err, framelog.ErrFailed) || !errors.Is(err, syscall.EMFILE) {
			t.Errorf("without descriptors: %v", err)
		}
	}
	faults.SetHook(nil)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	m.intact(t, open(t, fsys.Crash(vfs.Loss{}), dir, small()))
}
