package framelog_test

import (
	"slices"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// The end of a file that was not known to be durable when its process died is torn, not
// damaged, in all later lives.
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

// A scan that begins behind where a power loss has cut the log cannot tell where the frames end.
func TestScanFromBehindTheEnd(t *testing.T) {
	for name, rest := range map[string][]byte{"cut in the last frame": nil, "and as long as before": make([]byte, 20)} {
		t.Run(name, func(t *testing.T) {
			fsys, m := vfs.NewMem(dir), model{}
			l := open(t, fsys, dir, small())
			last := m.fill(t, l, 5)[4]
			end := l.End()
			fsys = fsys.Kill()
			b := readFile(t, fsys, fileOf(last.Segment))
			b = append(b[:len(b)-20], rest...)
			if rest != nil {
				clear(b[last.Offset:])
			}
			writeFile(t, fsys, fileOf(last.Segment), b)
			delete(m, last)
			o := small()
			o.MinSegment = end.Segment + 1 // of an index that is ahead
			for life := range 2 {
				l = open(t, fsys, dir, o)
				for _, from := range []framelog.Pos{end, {}} {
					if s := scan(l, from); len(s.lost()) > 0 {
						t.Errorf("life %d: a torn tail is damage to a scan from %v: %v", life, from, s.lost())
					}
				}
				m.fill(t, l, 20)
				l.Close()
			}
			m.intact(t, open(t, fsys, dir, o))
		})
	}
}

// A scan with nothing behind it still learns where the segment ends: what is lost there later is damage.
func TestScanOfNothingLearnsTheEnd(t *testing.T) {
	fsys, m := vfs.NewMem(dir), model{}
	l := open(t, fsys, dir, small())
	last := m.fill(t, l, 5)[4]
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	end := l.End()
	fsys = fsys.Kill()
	l = open(t, fsys, dir, small())
	scan(l, end)
	m.fill(t, l, 1)
	l.Close()
	b := readFile(t, fsys, fileOf(last.Segment))
	flip(t, fsys, fileOf(last.Segment), len(b)-12)
	s := scan(open(t, fsys, dir, small()), framelog.Pos{})
	if _, there := s.frames[last]; there || len(s.lost()) == 0 {
		t.Errorf("a durable frame is lost, and said to be torn: %v", s.damage)
	}
}
