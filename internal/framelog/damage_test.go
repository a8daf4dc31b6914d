package framelog_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// sample makes a log of at least four segments and closes it. It can sync after each append, so that the log
// knows early where segments end.
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

// Damage to whole files, with the reasons that a scan must give for it and the segments it may cost.
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
					"0000000000000002-1.log", "FFFFFFFFFFFFFFFF.log", fileOf(2) + ".tmp"} {
					writeFile(t, fsys, dir+"/"+strings.TrimPrefix(name, dir), []byte("something"))
				}
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

// The end of a file that was not known to be durable when its process died is torn, not damaged, in all later lives.
func TestTornTails(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	for life := range 5 {
		l := open(t, fsys, dir, small())
		if life%2 == 0 {
			s := scan(l, framelog.Pos{})
			if len(s.lost()) > 0 {
				t.Errorf("life %d: lost %v", life, s.lost())
			}
			m.compare(t, l, s)
		}
		m.fill(t, l, 7)
		last := l.End().Segment
		fsys = fsys.Kill()
		resize(t, fsys, last, 30+life)
	}
	l := open(t, fsys, dir, small())
	s := scan(l, framelog.Pos{})
	if len(s.lost()) > 0 || len(s.damage) == 0 {
		t.Errorf("at last: %v", s.damage)
	}
	m.compare(t, l, s)
	if s := scan(l, framelog.Pos{}); len(s.lost()) > 0 {
		t.Errorf("second scan of the same life: %v", s.damage)
	}
}

// After a scan the log knows where it ended and does not complain again.
func TestScanLearnsTheEnd(t *testing.T) {
	fsys, m := sample(t, false)
	resize(t, fsys, lastSegment(t, fsys), 123)
	l := open(t, fsys, dir, small())
	if s := scan(l, framelog.Pos{}); len(s.damage) != 1 || s.damage[0].Reason != framelog.Torn {
		t.Fatalf("damage %v", s.damage)
	}
	m.intact(t, l)
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	m.fill(t, l, 20)
	l.Close()
	m.intact(t, open(t, fsys, dir, small()))
}

// Frame-like bytes inside a body are never taken for frames, not even when the frame around them is damaged.
func TestCopiesInsideBodies(t *testing.T) {
	fsys, m := sample(t, false)
	copied := string(readFile(t, fsys, fileOf(2)))
	o := small()
	o.SegmentBytes = 64 << 10
	l := open(t, fsys, dir, o)
	ps := m.add(t, l, "before", copied, strings.Repeat("\xf7\xa3\xe1\x0c", 300), copied[16:], "behind")
	l.Close()
	for _, p := range ps[1:4] {
		flip(t, fsys, fileOf(p.Segment), int(p.Offset)+5) // its length
		delete(m, p)
	}
	l = open(t, fsys, dir, o)
	s := scan(l, framelog.Pos{})
	m.compare(t, l, s)
	if len(s.lost()) != 1 {
		t.Errorf("lost %v", s.lost())
	}
}

// hurt damages a random place of a random file and returns what it did.
func hurt(t *testing.T, fsys *vfs.Mem, r interface {
	IntN(int) int
	Uint64() uint64
}, segment uint64) string {
	name := fileOf(segment)
	b := readFile(t, fsys, name)
	at := r.IntN(len(b))
	n := min(len(b)-at, []int{1, 8, 64, 512}[r.IntN(4)])
	kind := r.IntN(4)
	switch kind {
	case 0:
		b[at] ^= 1 << r.IntN(8)
		n = 1
	case 1:
		clear(b[at : at+n])
	case 2:
		for i := range n {
			b[at+i] = byte(r.Uint64())
		}
	case 3:
		from := r.IntN(len(b)) &^ 7
		n = copy(b[at&^7:], slices.Clone(b[from:min(len(b), from+n)]))
		at &^= 7
	}
	writeFile(t, fsys, name, b)
	return fmt.Sprintf("kind %d at %d of segment %d, %d bytes", kind, at, segment, n)
}

// TestRandomDamage compares a log with a model through appends, reopens and damage: every frame outside the regions that
// a scan reports is there, and none that was not written.
func TestRandomDamage(t *testing.T) {
	r := testkit.Rand(t)
	for round := range 60 * rounds {
		fsys, m := vfs.NewMem(dir), model{}
		o := small()
		o.SegmentBytes = int64(200 + r.IntN(4000))
		for range 1 + r.IntN(4) {
			l := open(t, fsys, dir, o)
			for range r.IntN(20) {
				group := make([]string, 1+r.IntN(5))
				for i := range group {
					group[i] = string(testkit.Bytes(r, r.IntN(200)))
				}
				m.add(t, l, group...)
			}
			l.Close()
		}
		var did []string
		l := open(t, fsys, dir, o)
		for _, s := range l.Segments() {
			for range r.IntN(3) {
				did = append(did, hurt(t, fsys, r, s.ID))
			}
		}
		l = open(t, fsys, dir, o)
		s := scan(l, framelog.Pos{})
		m.without(s.damage).compare(t, l, s)
		if t.Failed() {
			t.Fatalf("round %d: %v; damage %v", round, did, s.damage)
		}
	}
}

// A damaged frame costs itself only.
func TestDamageIsExact(t *testing.T) {
	for name, c := range map[string]struct {
		at     int // from the start of the frame
		reason framelog.Reason
	}{"magic": {0, framelog.BadFrame}, "length": {7, framelog.BadFrame}, "sum": {12, framelog.BadFrame},
		"kind": {19, framelog.BadFrame}, "crc": {20, framelog.BadFrame}, "body": {26, framelog.BadBody}} {
		t.Run(name, func(t *testing.T) {
			fsys, m := vfs.NewMem(dir), model{}
			o := small()
			o.SegmentBytes = 1 << 20
			l := open(t, fsys, dir, o)
			ps := m.fill(t, l, 20)
			l.Close()
			flip(t, fsys, fileOf(1), int(ps[7].Offset)+c.at)
			delete(m, ps[7])
			l = open(t, fsys, dir, o)
			s := scan(l, framelog.Pos{})
			m.compare(t, l, s)
			want := framelog.Damage{Segment: 1, From: int64(ps[7].Offset), To: int64(ps[8].Offset), Reason: c.reason}
			if len(s.damage) != 1 || *s.damage[0] != want {
				t.Errorf("damage %+v, want %+v", s.damage, want)
			}
			_, err := l.ReadFrame(ps[7], nil)
			if d, ok := errors.AsType[*framelog.Damage](err); !ok || d.Reason != c.reason {
				t.Errorf("read: %v, want %v", err, c.reason)
			}
		})
	}
}

// rawLog writes one segment of the given frames, each of which may hurt its own bytes, and scans it.
func rawLog(t *testing.T, frames ...func(off uint32) []byte) scanned {
	t.Helper()
	file := framelog.FileHeader(logID, 1, 0, framelog.HeaderSize)
	for _, f := range frames {
		file = append(file, f(uint32(len(file)))...)
	}
	fsys := vfs.NewMem(dir)
	writeFile(t, fsys, fileOf(1), file)
	return scan(open(t, fsys, dir, small()), framelog.Pos{})
}

func rawFrame(body string) func(uint32) []byte {
	return func(off uint32) []byte { return framelog.RawFrame(logID, 1, off, 1, []byte(body)) }
}

// What lies in the body of a frame whose header holds is never looked at, even if somebody who knows the log
// made it look like a frame in its place.
func TestDamagedBodyIsSkippedByItsLength(t *testing.T) {
	s := rawLog(t, rawFrame("before"), func(off uint32) []byte {
		inner := framelog.RawFrame(logID, 1, off+framelog.FrameHeader, 1, []byte("inner"))
		b := framelog.RawFrame(logID, 1, off, 1, append(inner, "the rest"...))
		b[len(b)-10] ^= 1
		return b
	}, rawFrame("behind"))
	if len(s.frames) != 2 || len(s.damage) != 1 || s.damage[0].Reason != framelog.BadBody {
		t.Errorf("frames %q, damage %v", s.frames, s.damage)
	}
}

// A header that is found by searching is not believed without its body: its length could lead past good frames.
func TestFoundHeaderNeedsItsBody(t *testing.T) {
	s := rawLog(t, func(off uint32) []byte {
		inner := framelog.RawFrame(logID, 1, off+framelog.FrameHeader, 1, bytes.Repeat([]byte("long"), 100))
		b := framelog.RawFrame(logID, 1, off, 1, inner[:framelog.FrameHeader])
		b[4] ^= 1
		return b
	}, rawFrame("good"), rawFrame(strings.Repeat("more", 200)))
	if len(s.frames) != 2 || len(s.damage) != 1 {
		t.Errorf("frames %q, damage %v", s.frames, s.damage)
	}
}

// Lengths beyond the limits are not believed, whatever checksum stands behind them.
func TestLengthsAreBounded(t *testing.T) {
	roster := func(off uint32) []byte { return framelog.RawFrame(logID, 1, off, 2, make([]byte, 1<<20+1)) }
	s := rawLog(t, rawFrame("short"), rawFrame(strings.Repeat("x", 4<<10+1)), rawFrame("next"), roster, rawFrame("last"))
	if len(s.frames) != 3 || len(s.damage) != 2 {
		t.Errorf("%d frames, damage %v", len(s.frames), s.damage)
	}
}

// What this process wrote is damaged, not torn, when it does not hold.
func TestDamageOfTheLivingEnd(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	ps := m.fill(t, l, 3)
	flip(t, fsys, fileOf(1), int(ps[2].Offset)+framelog.FrameHeader)
	if s := scan(l, framelog.Pos{}); len(s.damage) != 1 || s.damage[0].Reason != framelog.BadBody {
		t.Errorf("damage %v", s.damage)
	}
}

// A segment that was full but not durable at a power loss has a torn end, not a damaged one.
func TestTornBeforeTheLastSegment(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	ps := m.fill(t, open(t, fsys, dir, small()), 12)
	fsys = fsys.Kill()
	resize(t, fsys, 1, -8)
	for p := range m {
		if p.Segment == 1 && !slices.ContainsFunc(ps, func(q framelog.Pos) bool { return q.Segment == 1 && q.Offset > p.Offset }) {
			delete(m, p)
		}
	}
	l := open(t, fsys, dir, small())
	s := scan(l, framelog.Pos{})
	if len(s.damage) != 1 || s.damage[0].Reason != framelog.Torn {
		t.Errorf("damage %v", s.damage)
	}
	m.compare(t, l, s)
}

// What was resumed and filled up is known to be durable like any other segment.
func TestTruncatedAfterResume(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	m.fill(t, l, 2)
	l.Close()
	end := l.End()
	l = open(t, fsys, dir, small())
	if ok, err := l.Resume(end); !ok || err != nil {
		t.Fatalf("Resume: %v, %v", ok, err)
	}
	m.fill(t, l, 12)
	l.Close()
	resize(t, fsys, 1, -8)
	if s := scan(open(t, fsys, dir, small()), framelog.Pos{}); len(s.lost()) != 1 {
		t.Errorf("damage %v", s.damage)
	}
}
