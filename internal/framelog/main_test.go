package framelog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

const dir = "/log"

var logID = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// small are options under which a few frames fill a segment.
func small() *framelog.Options {
	return &framelog.Options{ID: logID, SegmentBytes: 512, MaxBody: 4 << 10}
}

// open opens a log and closes it when the test ends.
func open(t *testing.T, fsys vfs.FS, name string, o *framelog.Options) *framelog.Log {
	t.Helper()
	l, err := framelog.Open(fsys, name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// model is what a log should hold.
type model map[framelog.Pos]string

// add appends bodies as one group and notes them.
func (m model) add(t *testing.T, l *framelog.Log, bodies ...string) []framelog.Pos {
	t.Helper()
	ps, err := appendAll(l, bodies...)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range ps {
		m[p] = bodies[i]
	}
	return ps
}

// fill appends n distinct frames one by one.
func (m model) fill(t *testing.T, l *framelog.Log, n int) (ps []framelog.Pos) {
	t.Helper()
	for i := range n {
		ps = append(ps, m.add(t, l, fmt.Sprintf("frame %d of %d, at %v", i, n, l.End()))...)
	}
	return ps
}

func appendAll(l *framelog.Log, bodies ...string) ([]framelog.Pos, error) {
	var b framelog.Batch
	for _, s := range bodies {
		b.Add([]byte(s))
	}
	if err := l.Append(&b); err != nil {
		return nil, err
	}
	ps := make([]framelog.Pos, b.Len())
	for i := range ps {
		ps[i] = b.Pos(i)
	}
	return ps, nil
}

// scanned is the outcome of a scan.
type scanned struct {
	frames model
	order  []framelog.Pos
	damage []*framelog.Damage
	err    error
}

func scan(l *framelog.Log, from framelog.Pos) scanned {
	s := scanned{frames: model{}}
	for f, err := range l.Scan(from) {
		if d, ok := errors.AsType[*framelog.Damage](err); ok {
			s.damage = append(s.damage, d)
		} else if err != nil {
			s.err = err
		} else {
			s.frames[f.Pos] = string(f.Body)
			s.order = append(s.order, f.Pos)
		}
	}
	return s
}

// lost returns the damage that is more than a torn end.
func (s scanned) lost() []*framelog.Damage {
	return slices.DeleteFunc(slices.Clone(s.damage), func(d *framelog.Damage) bool {
		return !errors.Is(d, framelog.ErrDamaged)
	})
}

// intact fails the test unless the log holds just what the model says and reports no damage.
func (m model) intact(t *testing.T, l *framelog.Log) {
	t.Helper()
	s := scan(l, framelog.Pos{})
	if s.err != nil || len(s.damage) > 0 {
		t.Errorf("scan: %v, damage %v", s.err, s.damage)
	}
	m.compare(t, l, s)
}

// compare fails the test unless scan and reads find all of the model and the scan finds
// nothing else.
func (m model) compare(t *testing.T, l *framelog.Log, s scanned) {
	t.Helper()
	if !slices.IsSortedFunc(s.order, framelog.Pos.Compare) {
		t.Errorf("scan is out of order: %v", s.order)
	}
	for p, body := range s.frames {
		if want, ok := m[p]; !ok || want != body {
			t.Errorf("scan: frame %v is %.60q, want %.60q", p, body, want)
		}
	}
	for p, want := range m {
		if _, ok := s.frames[p]; !ok {
			t.Errorf("scan: no frame at %v", p)
		}
		if got, err := l.ReadFrame(p, nil); err != nil || string(got) != want {
			t.Errorf("read %v: %.60q, %v, want %.60q", p, got, err, want)
		}
	}
}

// without returns the model less what lies in the given regions.
func (m model) without(regions []*framelog.Damage) model {
	rest := model{}
	for p, body := range m {
		inside := func(d *framelog.Damage) bool {
			return d.Segment == p.Segment && d.From < int64(p.Offset)+int64(framelog.Padded(len(body))) && int64(p.Offset) < d.To
		}
		if !slices.ContainsFunc(regions, inside) {
			rest[p] = body
		}
	}
	return rest
}

func fileOf(segment uint64) string { return filepath.Join(dir, fmt.Sprintf("%016x.log", segment)) }

func readFile(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeFile replaces a file, durably.
func writeFile(t *testing.T, fsys vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), fsys.SyncDir(filepath.Dir(name))); err != nil {
		t.Fatal(err)
	}
}
