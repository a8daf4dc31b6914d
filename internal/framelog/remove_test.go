package framelog_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

func TestRemove(t *testing.T) {
	fsys := vfs.NewMem(dir)
	l := open(t, fsys, dir, small())
	m := model{}
	m.fill(t, l, 30)
	if err := l.Remove(2); err != nil {
		t.Fatal(err)
	}
	for p := range m {
		if p.Segment == 2 {
			delete(m, p)
			if _, err := l.ReadFrame(p, nil); !errors.Is(err, framelog.ErrNotFound) {
				t.Errorf("read from a removed segment: %v", err)
			}
		}
	}
	m.intact(t, l)
	if err := l.Remove(2); !errors.Is(err, framelog.ErrNotFound) {
		t.Errorf("second Remove: %v", err)
	}
	if err := l.Remove(l.End().Segment); !errors.Is(err, framelog.ErrActive) {
		t.Errorf("Remove of the active segment: %v", err)
	}
	l.Close()
	m.intact(t, open(t, fsys, dir, small()))
}

// A segment may be removed before anything was appended in this life of the log.
func TestRemoveFirst(t *testing.T) {
	fsys := vfs.NewMem(dir)
	l := open(t, fsys, dir, small())
	m := model{}
	m.fill(t, l, 10)
	l.Close()
	l = open(t, fsys, dir, small())
	if err := l.Remove(1); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for p := range m {
		if p.Segment == 1 {
			delete(m, p)
		}
	}
	m.intact(t, open(t, fsys, dir, small()))
}

// A scan does not miss what was removed before it, even if every segment whose roster says so
// is removed before the scan comes to it.
func TestRemoveBeforeAndDuringScan(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	m.fill(t, l, 40)
	for id := range uint64(2) {
		if err := l.Remove(id + 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for f, err := range l.Scan(framelog.Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Segments() {
			if s.ID <= f.Pos.Segment {
				continue
			}
			if err := l.Remove(s.ID); err != nil && !errors.Is(err, framelog.ErrActive) {
				t.Fatal(err)
			}
		}
		last = f.Pos.Segment
	}
	if last != 3 {
		t.Errorf("the scan ended in segment %d", last)
	}
}

// A segment stays when it cannot be noted that it is gone.
func TestRemoveWithoutRoster(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.fill(t, l, 10)
	faults.SetHook(once(failKinds(syscall.EIO, vfs.OpWrite)))
	if err := l.Remove(1); !errors.Is(err, syscall.EIO) {
		t.Errorf("Remove: %v", err)
	}
	m.intact(t, l)
	m.intact(t, open(t, mem.Kill(), dir, small()))
	if err := l.Remove(1); err != nil {
		t.Errorf("the next Remove: %v", err)
	}
}

// A segment stays when its file cannot be deleted.
func TestRemoveWithoutUnlink(t *testing.T) {
	for name, covered := range map[string]bool{"its file": false, "a file that it covers": true} {
		t.Run(name, func(t *testing.T) {
			l, mem, faults := faulty(t)
			m := model{}
			stays := failKinds(syscall.EIO, vfs.OpRemove)
			if covered {
				m.add(t, l, "covered")
				faults.SetHook(vfs.Chain(once(failKinds(syscall.EIO, vfs.OpSync)), stays))
				if err := errors.Join(l.Sync(), l.Rotate()); err != nil {
					t.Fatal(err)
				}
			}
			m.fill(t, l, 10)
			before := l.Segments()
			faults.SetHook(stays)
			if err := l.Remove(1); err == nil || !covered && !errors.Is(err, syscall.EIO) {
				t.Errorf("Remove: %v", err)
			}
			if got := l.Segments(); got[0] != before[0] {
				t.Errorf("segments %v, before %v", got, before)
			}
			m.intact(t, l)
			m.intact(t, open(t, mem.Kill(), dir, small()))
			faults.SetHook(nil)
			if err := l.Remove(1); err != nil {
				t.Errorf("the next Remove: %v", err)
			}
			if _, err := mem.Lstat(fileOf(1)); l.Segments()[0].ID == 1 || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it is still there: %v", err)
			}
		})
	}
}

// A full disk keeps it from being noted that a segment is gone: the next append does it, in a segment of an earlier life too.
func TestRemoveThenResume(t *testing.T) {
	mem, m := vfs.NewMem(dir), model{}
	l := open(t, mem, dir, small())
	m.fill(t, l, 10)
	l.Close()
	end := l.End()
	faults := vfs.NewFaults(mem, failKinds(syscall.ENOSPC, vfs.OpWrite))
	l = open(t, faults, dir, small())
	if err := l.Remove(1); err != nil {
		t.Fatal(err)
	}
	for p := range m {
		if p.Segment == 1 {
			delete(m, p)
		}
	}
	faults.SetHook(nil)
	if ok, err := l.Resume(end); !ok || err != nil {
		t.Fatal(ok, err)
	}
	m.add(t, l, "after")
	m.intact(t, open(t, mem.Kill(), dir, small()))
}

// A removal is durable after a Sync.
func TestRemoveIsDurable(t *testing.T) {
	fsys := vfs.NewMem(dir)
	l := open(t, fsys, dir, small())
	model{}.fill(t, l, 10)
	if err := errors.Join(l.Remove(1), l.Sync()); err != nil {
		t.Fatal(err)
	}
	l = open(t, fsys.Crash(vfs.Loss{}), dir, small())
	if _, err := l.ReadFrame(framelog.Pos{Segment: 1}, nil); !errors.Is(err, framelog.ErrNotFound) {
		t.Errorf("read from a removed segment: %v", err)
	}
}

// What was appended before a removal, in place of what goes, is durable when the segment has gone.
func TestRemoveAfterWhatWasMoved(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	model{}.fill(t, l, 10)
	p := m.add(t, l, "moved")[0]
	if err := l.Remove(1); err != nil {
		t.Fatal(err)
	}
	if b, err := open(t, fsys.Crash(vfs.Loss{}), dir, small()).ReadFrame(p, nil); err != nil || string(b) != m[p] {
		t.Errorf("%q, %v", b, err)
	}
}

// A power loss may take the file that covers frames which do not count, and leave those frames, unless each removal is
// durable before the next.
func TestRemoveUncoversNothing(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "before")
	write := vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Path == fileOf(1) },
		vfs.Fault{Err: syscall.EIO, Partial: 1 << 20})
	faults.SetHook(vfs.Chain(failKinds(syscall.EIO, vfs.OpTruncate), write))
	if _, err := appendAll(l, "does", "not", "count"); err == nil {
		t.Fatal("no error")
	}
	faults.SetHook(nil)
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	m.add(t, l, "moved")
	if err := errors.Join(l.Sync(), l.Remove(1)); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(50) {
		tree := mem.Crash(vfs.Torn(seed))
		for p, body := range scan(open(t, tree, dir, small()), framelog.Pos{}).frames {
			if m[p] != body {
				t.Fatalf("seed %d: %q at %v, whose append has failed, is there\n%v", seed, body, p, tree)
			}
		}
	}
}

// A removal is durable after the next Sync, also if one was at its end when the file went.
func TestRemoveBesideSync(t *testing.T) {
	fsys := vfs.NewMem(dir)
	faults := vfs.NewFaults(fsys, nil)
	l := open(t, faults, dir, small())
	model{}.fill(t, l, 30)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpRemove {
			if err := framelog.SyncUnsynced(l); err != nil {
				t.Error(err)
			}
		}
		return vfs.Fault{}
	})
	if err := errors.Join(l.Remove(1), l.Sync()); err != nil {
		t.Fatal(err)
	}
	left := fsys.Crash(vfs.Loss{})
	if _, err := left.Lstat(fileOf(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file after a power loss: %v", err)
	}
}
