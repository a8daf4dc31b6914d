package framelog_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

func TestRoundTrip(t *testing.T) {
	for name, fsys := range map[string]struct {
		fs  vfs.FS
		dir string
	}{"os": {vfs.OS{}, t.TempDir()}, "mem": {vfs.NewMem(dir), dir}} {
		t.Run(name, func(t *testing.T) {
			l := open(t, fsys.fs, fsys.dir, small())
			m := model{}
			m.add(t, l, "", "a", strings.Repeat("b", 4<<10), "seven b", "eight by")
			m.fill(t, l, 50)
			if n := len(l.Segments()); n < 5 {
				t.Errorf("%d segments, want some", n)
			}
			m.intact(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			end := l.End()
			l = open(t, fsys.fs, fsys.dir, small())
			m.intact(t, l)
			if got := l.End(); got != end {
				t.Errorf("end is %v after a reopen, was %v", got, end)
			}
			m.fill(t, l, 10)
			m.intact(t, l)
		})
	}
}

func TestGroupStaysTogether(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	m.add(t, l, "first")
	group := make([]string, 30)
	for i := range group {
		group[i] = fmt.Sprintf("member %d", i)
	}
	ps := m.add(t, l, group...)
	for i, p := range ps {
		if p.Segment != 2 {
			t.Errorf("frame %d is in segment %d, want 2", i, p.Segment)
		}
	}
	if p := m.add(t, l, "last")[0]; p.Segment != 3 {
		t.Errorf("the frame after a large group is in segment %d, want 3", p.Segment)
	}
	m.intact(t, l)
}

func TestBatch(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	var all framelog.Batch
	all.Add([]byte("a"))
	if i, j := all.Add([]byte("b"), nil, []byte("c")), all.Add(); i != 1 || j != 2 || all.Len() != 3 {
		t.Fatalf("frames %d and %d of %d were added last", i, j, all.Len())
	}
	if p := all.Pos(1); !p.IsZero() {
		t.Errorf("position before the append is %v", p)
	}
	if err := l.Append(&all); err != nil {
		t.Fatal(err)
	}
	model{all.Pos(0): "a", all.Pos(1): "bc", all.Pos(2): ""}.intact(t, l)
	all.Reset()
	if all.Add(make([]byte, 8<<20)); all.Cap() < 8<<20 {
		t.Errorf("batch of 8 MiB holds %d bytes", all.Cap())
	}
	if all.Reset(); all.Len() != 0 || all.Cap() > 4<<20 {
		t.Errorf("%d frames, memory of %d after a reset", all.Len(), all.Cap())
	}
}

func TestRotate(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	for i := range 3 {
		if err := errors.Join(l.Rotate(), l.Rotate()); err != nil {
			t.Fatal(err)
		}
		if p := m.add(t, l, "x")[0]; p.Segment != uint64(i+1) {
			t.Errorf("append %d went to %v", i, p)
		}
	}
	m.intact(t, l)
}

func TestMinSegment(t *testing.T) {
	fsys := vfs.NewMem(dir)
	m := model{}
	m.fill(t, open(t, fsys, dir, small()), 10)
	o := small()
	o.MinSegment = 77
	l := open(t, fsys, dir, o)
	if p := m.add(t, l, "x")[0]; p.Segment != 77 {
		t.Errorf("first append went to %v", p)
	}
	m.intact(t, l)
}

func TestReadBody(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	p := model{}.add(t, l, "0123456789")[0]
	b := make([]byte, 4)
	if err := l.ReadBody(p, 3, b); err != nil || string(b) != "3456" {
		t.Errorf("part of the body is %q, %v", b, err)
	}
	if err := l.ReadBody(p, 100, b); !errors.Is(err, framelog.ErrDamaged) {
		t.Errorf("part beyond the log: %v", err)
	}
	if err := l.ReadBody(framelog.Pos{Segment: 9}, 0, b); !errors.Is(err, framelog.ErrNotFound) {
		t.Errorf("part of nothing: %v", err)
	}
}

func TestReadFrameOfNothing(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	p := model{}.add(t, l, strings.Repeat("body", 99))[0]
	for _, off := range []uint32{0, 1, 7, framelog.HeaderSize, p.Offset - 8, p.Offset + 1, p.Offset + 8, 1 << 20, 1<<32 - 1} {
		_, err := l.ReadFrame(framelog.Pos{Segment: 1, Offset: off}, nil)
		if !errors.Is(err, framelog.ErrDamaged) {
			t.Errorf("read at %d: %v", off, err)
		}
	}
	if _, err := l.ReadFrame(framelog.Pos{}, nil); !errors.Is(err, framelog.ErrNotFound) {
		t.Errorf("read of the zero position: %v", err)
	}
}

// The memory that a caller hands in is used, and from its start.
func TestReadFrameReusesMemory(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	ps := model{}.add(t, l, strings.Repeat("a", 4000), "b")
	buf, err := l.ReadFrame(ps[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.ReadFrame(ps[1], buf)
	if err != nil || &b[0] != &buf[0] {
		t.Errorf("read %q, %v, not into the same memory", b, err)
	}
}

func TestScanFrom(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	ps := m.fill(t, l, 30)
	for i, p := range ps {
		s := scan(l, p)
		if len(s.damage) > 0 || s.err != nil || len(s.order) != len(ps)-i || s.order[0] != p {
			t.Errorf("scan from %v: %d frames, damage %v, %v", p, len(s.order), s.damage, s.err)
		}
	}
	if s := scan(l, l.End()); len(s.order) > 0 || len(s.damage) > 0 {
		t.Errorf("scan from the end: %v, %v", s.order, s.damage)
	}
}

func TestScanSegment(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	m.fill(t, l, 30)
	n := 0
	for f, err := range l.ScanSegment(2) {
		if err != nil || f.Pos.Segment != 2 || m[f.Pos] != string(f.Body) {
			t.Errorf("frame %v %q, %v", f.Pos, f.Body, err)
		}
		n++
	}
	if n < 3 {
		t.Errorf("%d frames", n)
	}
	for _, err := range l.ScanSegment(99) {
		if !errors.Is(err, framelog.ErrNotFound) {
			t.Errorf("scan of no segment: %v", err)
		}
	}
}

func TestScanStops(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	model{}.fill(t, l, 30)
	n := 0
	for range l.Scan(framelog.Pos{}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d steps after a break at 3", n)
	}
}

func TestLimits(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	m := model{}
	m.add(t, l, "x")
	if _, err := appendAll(l, "ok", strings.Repeat("y", 4<<10+1)); !errors.Is(err, framelog.ErrTooLarge) {
		t.Errorf("append of a long body: %v", err)
	}
	if _, err := appendAll(l); err != nil {
		t.Errorf("append of nothing: %v", err)
	}
	m.intact(t, l)
}

func TestSegmentsRunOut(t *testing.T) {
	o := small()
	o.MinSegment = framelog.MaxSegment
	l := open(t, vfs.NewMem(dir), dir, o)
	m := model{}
	m.add(t, l, "x")
	if err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, err := appendAll(l, "y"); !errors.Is(err, framelog.ErrTooLarge) {
		t.Errorf("append behind the last segment: %v", err)
	}
	m.intact(t, l)
}

func TestOptions(t *testing.T) {
	for field, change := range map[string]func(*framelog.Options){
		"ID":           func(o *framelog.Options) { o.ID = [16]byte{} },
		"SegmentBytes": func(o *framelog.Options) { o.SegmentBytes = 4 << 30 },
		"MaxBody":      func(o *framelog.Options) { o.MaxBody = -1 },
		"MinSegment":   func(o *framelog.Options) { o.MinSegment = 1 << 63 },
		"MaxOpen":      func(o *framelog.Options) { o.MaxOpen = -1 },
	} {
		o := small()
		change(o)
		if _, err := framelog.Open(vfs.NewMem(dir), dir, o); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("bad %s: %v", field, err)
		}
	}
	if _, err := framelog.Open(vfs.NewMem(dir), dir, nil); err == nil {
		t.Error("nil options were taken")
	}
}

func TestClosed(t *testing.T) {
	l := open(t, vfs.NewMem(dir), dir, small())
	p := model{}.add(t, l, "x")[0]
	end := l.End()
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	_, aerr := appendAll(l, "x")
	_, rerr := l.ReadFrame(p, nil)
	for verb, err := range map[string]error{
		"Append": aerr, "ReadFrame": rerr, "ReadBody": l.ReadBody(p, 0, nil), "Sync": l.Sync(), "Rotate": l.Rotate(),
		"Remove": l.Remove(1), "Scan": scan(l, framelog.Pos{}).err,
	} {
		if !errors.Is(err, framelog.ErrClosed) {
			t.Errorf("%s after Close: %v", verb, err)
		}
	}
	if l.End() != end {
		t.Errorf("end after Close is %v, was %v", l.End(), end)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	o := small()
	o.MaxOpen = 3
	fsys := vfs.NewMem(dir)
	l := open(t, fsys, dir, o)
	m := model{}
	m.fill(t, l, 100)
	l.Close()
	l = open(t, fsys, dir, o)
	m.intact(t, l)
	if n := l.OpenFiles(); n != 3 {
		t.Errorf("%d files are open, want 3", n)
	}
}

// The files of full segments do not stay open, nor pile up unsynced, when nobody calls Sync.
func TestBacklogIsBounded(t *testing.T) {
	o := small()
	o.MaxOpen = 1
	l := open(t, vfs.NewMem(dir), dir, o)
	m := model{}
	m.fill(t, l, 300)
	if n, segs := l.OpenFiles(), len(l.Segments()); n > 20 || segs < 40 {
		t.Errorf("%d files of %d segments are open", n, segs)
	}
	m.intact(t, l)
}

func TestPos(t *testing.T) {
	a, b := framelog.Pos{Segment: 1, Offset: 1 << 31}, framelog.Pos{Segment: 2, Offset: 64}
	if a.Compare(b) != -1 || b.Compare(a) != 1 || a.Compare(a) != 0 {
		t.Error("positions are out of order")
	}
	enc := framelog.AppendPos([]byte("x"), a)
	p, rest, err := framelog.ParsePos(append(enc[1:], 'y'))
	if p != a || string(rest) != "y" || err != nil || len(enc) != 1+framelog.PosSize {
		t.Errorf("parsed %v, rest %q, %v", p, rest, err)
	}
	if string(enc[1:]) >= string(framelog.AppendPos(nil, b)) {
		t.Error("encoded positions are out of order")
	}
	if _, _, err := framelog.ParsePos(enc[2:]); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short position: %v", err)
	}
}

// resize makes the file of a segment longer, by zeros, or shorter.
func resize(t *testing.T, fsys *vfs.Mem, segment uint64, by int) {
	t.Helper()
	b := readFile(t, fsys, fileOf(segment))
	if by < 0 {
		b = b[:len(b)+by]
	} else {
		b = append(b, make([]byte, by)...)
	}
	writeFile(t, fsys, fileOf(segment), b)
}

func flip(t *testing.T, fsys *vfs.Mem, name string, at int) {
	t.Helper()
	b := readFile(t, fsys, name)
	b[at] ^= 1
	writeFile(t, fsys, name, b)
}
