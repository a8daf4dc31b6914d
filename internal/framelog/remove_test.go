package framelog_test

import (
	"errors"
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
