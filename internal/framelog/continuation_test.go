package framelog_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// continued makes a log whose only segment has a continuation that begins with the frame at
// the returned position.
func continued(t *testing.T) (*vfs.Mem, model, framelog.Pos) {
	t.Helper()
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "one", "two")
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	p := m.add(t, l, "three", "four")[0]
	faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	m.add(t, l, "five")
	l.Close()
	return mem, m, p
}

// Each file of a segment can be damaged without harm to the frames of another.
func TestContinuationDamage(t *testing.T) {
	cont := func(p framelog.Pos) string { return fmt.Sprintf("%s/%016x-%08x-%08x.log", dir, p.Segment, 1, p.Offset) }
	for name, c := range map[string]struct {
		do   func(t *testing.T, fsys *vfs.Mem, p framelog.Pos)
		lost []string
		want framelog.Reason
	}{
		"header": {
			do:   func(t *testing.T, fsys *vfs.Mem, p framelog.Pos) { flip(t, fsys, cont(p), 9) },
			want: framelog.BadHeader,
		},
		"first file is gone": {
			do:   func(_ *testing.T, fsys *vfs.Mem, _ framelog.Pos) { fsys.Remove(fileOf(1)) },
			lost: []string{"one", "two"},
			want: framelog.Unreadable,
		},
		"first file is short": {
			do: func(t *testing.T, fsys *vfs.Mem, p framelog.Pos) {
				writeFile(t, fsys, fileOf(1), readFile(t, fsys, fileOf(1))[:p.Offset-8])
			},
			lost: []string{"two"},
			want: framelog.Unreadable,
		},
		"first file is bad behind the continuation's base": {
			do: func(t *testing.T, fsys *vfs.Mem, p framelog.Pos) { flip(t, fsys, fileOf(1), int(p.Offset)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			mem, m, p := continued(t)
			c.do(t, mem, p)
			for q, body := range m {
				if slices.Contains(c.lost, body) {
					delete(m, q)
				}
			}
			l := open(t, mem, dir, small())
			s := scan(l, framelog.Pos{})
			m.compare(t, l, s)
			switch {
			case c.want == 0 && len(s.damage) == 0:
			case len(s.damage) != 1 || s.damage[0].Reason != c.want:
				t.Errorf("damage %v, want %v", s.damage, c.want)
			}
		})
	}
}

// A file that a continuation covers in full, but that could not be deleted, is not looked at.
func TestCoveredFileStays(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "one", "two")
	faults.SetHook(vfs.Chain(once(failKinds(syscall.EIO, vfs.OpSync)), failKinds(syscall.EIO, vfs.OpRemove)))
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(nil)
	m.add(t, l, "three")
	flip(t, mem, fileOf(1), framelog.HeaderSize+1)
	m.intact(t, open(t, mem.Kill(), dir, small()))
}

func TestCoveredFileGoes(t *testing.T) {
	l, mem, faults := faulty(t)
	m := model{}
	m.add(t, l, "one", "two")
	faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if files, err := mem.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
	m.intact(t, l)
}

// A covered file that could not be deleted goes with its segment, so that it does not come back without its cover.
func TestCoveredFileGoesWithItsSegment(t *testing.T) {
	for name, reopen := range map[string]bool{"same life": false, "next life": true} {
		t.Run(name, func(t *testing.T) {
			l, mem, faults := faulty(t)
			model{}.add(t, l, "one", "two")
			faults.SetHook(vfs.Chain(once(failKinds(syscall.EIO, vfs.OpSync)), failKinds(syscall.EIO, vfs.OpRemove)))
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
			faults.SetHook(nil)
			if reopen {
				l.Close()
				l = open(t, mem, dir, small())
			}
			if err := errors.Join(l.Rotate(), l.Remove(1), l.Close()); err != nil {
				t.Fatal(err)
			}
			model{}.intact(t, open(t, mem, dir, small()))
		})
	}
}

// An unfinished file goes when the next segment is made, and not before.
func TestUnfinishedFileGoes(t *testing.T) {
	mem := vfs.NewMem(dir)
	name := fileOf(3) + ".tmp"
	writeFile(t, mem, name, []byte("part"))
	l := open(t, mem, dir, small())
	if _, err := mem.Lstat(name); err != nil {
		t.Errorf("after Open: %v", err)
	}
	model{}.add(t, l, "x")
	if _, err := mem.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Append: %v", err)
	}
}
