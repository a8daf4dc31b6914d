package framelog_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// sample makes a log of at least four segments and closes it. It can sync after each append,
// so that the log knows early where segments end.
func sample(t *testing.T, sync bool) (*vfs.Mem, model) {
	t.Helper()
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	for range 30 {
		m.fill(t, l, 1)
		if !sync {
			continue
		}
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return fsys, m
}

// Damage to whole files, with the reasons that a scan must give for it and the segments it
// may cost.
func TestFileDamage(t *testing.T) {
	for name, c := range map[string]struct {
		do     func(t *testing.T, fsys *vfs.Mem)
		want   []framelog.Reason
		costs  []uint64
		unsure bool // the cost is a part of the segments
	}{
		"none": {do: func(*testing.T, *vfs.Mem) {}},
		"header": {
			do:   func(t *testing.T, fsys *vfs.Mem) { flip(t, fsys, fileOf(2), 3) },
			want: []framelog.Reason{framelog.BadHeader},
		},
		"two headers": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				flip(t, fsys, fileOf(2), 3)
				flip(t, fsys, fileOf(3), 63)
			},
			want: []framelog.Reason{framelog.BadHeader, framelog.BadHeader},
		},
		"swapped files": {do: swap},
		"swapped files, one header": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				swap(t, fsys)
				flip(t, fsys, fileOf(2), 17)
			},
			want: []framelog.Reason{framelog.BadHeader},
		},
		"swapped files, both headers": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				swap(t, fsys)
				flip(t, fsys, fileOf(1), 17)
				flip(t, fsys, fileOf(2), 17)
			},
			want: []framelog.Reason{framelog.BadHeader, framelog.BadHeader},
		},
		"missing file": {
			do:    func(t *testing.T, fsys *vfs.Mem) { fsys.Remove(fileOf(2)) },
			want:  []framelog.Reason{framelog.Missing},
			costs: []uint64{2},
		},
		"missing first file": {
			do:    func(t *testing.T, fsys *vfs.Mem) { fsys.Remove(fileOf(1)) },
			want:  []framelog.Reason{framelog.Missing},
			costs: []uint64{1},
		},
		"one file over another": {
			do:    func(t *testing.T, fsys *vfs.Mem) { writeFile(t, fsys, fileOf(2), readFile(t, fsys, fileOf(1))) },
			want:  []framelog.Reason{framelog.Missing, framelog.Duplicate},
			costs: []uint64{2},
		},
		"part of one file over another": {
			do:    func(t *testing.T, fsys *vfs.Mem) { writeFile(t, fsys, fileOf(1), readFile(t, fsys, fileOf(2))[:100]) },
			want:  []framelog.Reason{framelog.Missing, framelog.Duplicate},
			costs: []uint64{1},
		},
		"renamed": {do: func(_ *testing.T, fsys *vfs.Mem) { fsys.Rename(fileOf(lastSegment(t, fsys)), fileOf(1<<40)) }},
		"renamed, last is first": {
			do: func(_ *testing.T, fsys *vfs.Mem) {
				last := lastSegment(t, fsys)
				fsys.Rename(fileOf(1), dir+"/x")
				fsys.Rename(fileOf(last), fileOf(1))
				fsys.Rename(dir+"/x", fileOf(2)+"x")
				fsys.Rename(fileOf(2)+"x", "/log/0000000000000001-00000009-00000040.log")
			},
		},
		"stray copy": {
			do:   func(t *testing.T, fsys *vfs.Mem) { writeFile(t, fsys, fileOf(77), readFile(t, fsys, fileOf(1))) },
			want: []framelog.Reason{framelog.Duplicate},
		},
		"file of another log": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				writeFile(t, fsys, fileOf(77), framelog.FileHeader([16]byte{9}, 77, 0, framelog.HeaderSize))
			},
			want: []framelog.Reason{framelog.Foreign},
		},
		"emptied file": {
			do:    func(t *testing.T, fsys *vfs.Mem) { writeFile(t, fsys, fileOf(2), nil) },
			want:  []framelog.Reason{framelog.BadHeader},
			costs: []uint64{2},
		},
		"cut at the end of a frame": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				b := readFile(t, fsys, fileOf(2))
				writeFile(t, fsys, fileOf(2), b[:bytes.LastIndex(b, []byte{0xf7, 0xa3, 0xe1, 0x0c})])
			},
			want:   []framelog.Reason{framelog.Truncated},
			costs:  []uint64{2},
			unsure: true,
		},
		"cut in a frame": {
			do:     func(t *testing.T, fsys *vfs.Mem) { resize(t, fsys, 2, -12) },
			want:   []framelog.Reason{framelog.BadFrame},
			costs:  []uint64{2},
			unsure: true,
		},
		"longer": {do: func(t *testing.T, fsys *vfs.Mem) { resize(t, fsys, 2, 5000) }},
		"longer by a copy": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				b := readFile(t, fsys, fileOf(2))
				writeFile(t, fsys, fileOf(2), append(b, b...))
			},
		},
		"longer at the end of the log": {
			do:   func(t *testing.T, fsys *vfs.Mem) { resize(t, fsys, lastSegment(t, fsys), 50) },
			want: []framelog.Reason{framelog.Torn},
		},
		"other files": {
			do: func(t *testing.T, fsys *vfs.Mem) {
				for _, name := range []string{"x.log", "1.log", "0000000000000000.log", "00000000000000zz.log",
					"0000000000000002-00000000-00000040.log", "0000000000000002-00000001-00000041.log",
					"0000000000000002-1.log", "FFFFFFFFFFFFFFFF.log"} {
					writeFile(t, fsys, filepath.Join(dir, name), []byte("something"))
				}
				writeFile(t, fsys, fileOf(2)+".tmp", []byte("something"))
				fsys.Mkdir(fileOf(88), 0o755)
			},
		},
	} {
		check := func(t *testing.T, sync bool) {
			fsys, m := sample(t, sync)
			c.do(t, fsys)
			l := open(t, fsys, dir, small())
			s := scan(l, framelog.Pos{})
			var got []framelog.Reason
			for _, d := range s.damage {
				got = append(got, d.Reason)
			}
			if slices.Sort(got); s.err != nil || !slices.Equal(got, sorted(c.want)) {
				t.Errorf("damage %v, %v, want %v", s.damage, s.err, c.want)
			}
			left := model{}
			for p, body := range m {
				if _, found := s.frames[p]; !slices.Contains(c.costs, p.Segment) || c.unsure && found {
					left[p] = body
				}
			}
			if c.unsure && len(left) < len(m)-2 {
				t.Errorf("%d of %d frames are left", len(left), len(m))
			}
			left.compare(t, l, s)
			left.fill(t, l, 10)
			left.compare(t, l, scan(l, framelog.Pos{}))
		}
		t.Run(name, func(t *testing.T) { check(t, false) })
		t.Run(name+", synced", func(t *testing.T) { check(t, true) })
	}
}

func sorted(r []framelog.Reason) []framelog.Reason { return slices.Sorted(slices.Values(r)) }

func swap(t *testing.T, fsys *vfs.Mem) {
	t.Helper()
	a, b := readFile(t, fsys, fileOf(1)), readFile(t, fsys, fileOf(2))
	writeFile(t, fsys, fileOf(1), b)
	writeFile(t, fsys, fileOf(2), a)
}

func lastSegment(t *testing.T, fsys *vfs.Mem) uint64 {
	t.Helper()
	return open(t, fsys, dir, small()).End().Segment
}
