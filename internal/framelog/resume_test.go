package framelog_test

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

func TestResume(t *testing.T) {
	var before, lastFrame framelog.Pos
	for name, c := range map[string]struct {
		change func(t *testing.T, fsys *vfs.Mem, end *framelog.Pos)
		want   bool
	}{
		"clean":            {func(*testing.T, *vfs.Mem, *framelog.Pos) {}, true},
		"end before Close": {func(_ *testing.T, _ *vfs.Mem, end *framelog.Pos) { *end = before }, true},
		"earlier end":      {func(_ *testing.T, _ *vfs.Mem, end *framelog.Pos) { end.Offset -= 8 }, false},
		"earlier frame":    {func(_ *testing.T, _ *vfs.Mem, end *framelog.Pos) { *end = lastFrame }, false},
		"later end":        {func(_ *testing.T, _ *vfs.Mem, end *framelog.Pos) { end.Offset += 8 }, false},
		"earlier segment":  {func(_ *testing.T, _ *vfs.Mem, end *framelog.Pos) { end.Segment-- }, false},
		"zero":             {func(_ *testing.T, _ *vfs.Mem, end *framelog.Pos) { *end = framelog.Pos{} }, false},
		"file has grown":   {func(t *testing.T, fsys *vfs.Mem, _ *framelog.Pos) { resize(t, fsys, before.Segment, +8) }, false},
		"file has shrunk":  {func(t *testing.T, fsys *vfs.Mem, _ *framelog.Pos) { resize(t, fsys, before.Segment, -8) }, false},
		"header is broken": {func(t *testing.T, fsys *vfs.Mem, _ *framelog.Pos) { flip(t, fsys, fileOf(before.Segment), 20) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem(dir)
			l := open(t, fsys, dir, small())
			m := model{}
			lastFrame = m.fill(t, l, 10)[9]
			before = l.End()
			l.Close()
			end := l.End()
			c.change(t, fsys, &end)
			l = open(t, fsys, dir, small())
			got, err := l.Resume(end)
			if got != c.want || err != nil {
				t.Fatalf("Resume: %v, %v, want %v", got, err, c.want)
			}
			p := m.add(t, l, "after")[0]
			if resumed := p.Segment == before.Segment; resumed != c.want {
				t.Errorf("appended at %v", p)
			}
		})
	}
}

func TestResumeAfterScanOfTornTail(t *testing.T) {
	fsys := vfs.NewMem(dir)
	m := model{}
	m.fill(t, open(t, fsys, dir, small()), 3)
	resize(t, fsys, 1, +100)
	l := open(t, fsys, dir, small())
	scan(l, framelog.Pos{})
	if ok, err := l.Resume(l.End()); ok || err != nil {
		t.Errorf("Resume before garbage: %v, %v", ok, err)
	}
	m.add(t, l, "next")
	m.intact(t, l)
}

// TestResumeBesideRemove removes the last segment while it is about to become the active one.
func TestResumeBesideRemove(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	m.fill(t, l, 10)
	l.Close()
	end := l.End()
	removed := make(chan error, 1)
	var begun atomic.Bool
	l = open(t, vfs.NewFaults(fsys, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpOpen && op.Path == fileOf(end.Segment) && op.Flag == os.O_RDWR && !begun.Swap(true) { // by Resume
			go func() { removed <- l.Remove(end.Segment) }()
			for !framelog.Leaving(l, end.Segment) {
				runtime.Gosched()
			}
		}
		return vfs.Fault{}
	}), dir, small())
	if ok, err := l.Resume(end); ok || err != nil {
		t.Errorf("resume: %v, %v", ok, err)
	}
	if err := <-removed; err != nil {
		t.Error(err)
	}
	m.add(t, l, "after")
}
