package framelog_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// Frame-like bytes inside a body are never taken for frames, not even when the frame around
// them is damaged.
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

// rawLog writes one segment of the given frames, each of which may hurt its own bytes, and
// scans it.
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

// What lies in the body of a frame whose header holds is never looked at, even if somebody
// who knows the log made it look like a frame in its place.
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

// A header that is found by searching is not believed without its body: its length could lead
// past good frames.
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
