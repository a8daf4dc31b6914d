package framelog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// gate holds up the next call of one kind, a read, on a segment's file, and notes what happens
// to that file meanwhile.
type gate struct {
	path    string
	kind    vfs.Kind
	entered chan struct{}
	open    chan struct{}
	once    sync.Once

	mu    sync.Mutex
	calls []vfs.Kind
}

func newGate(segment uint64) *gate {
	return &gate{path: fileOf(segment), kind: vfs.OpRead, entered: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) hook(op vfs.Op) vfs.Fault {
	if op.Path != g.path {
		return vfs.Fault{}
	}
	if op.Kind == g.kind {
		g.once.Do(func() {
			close(g.entered)
			<-g.open
		})
		return vfs.Fault{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, op.Kind)
	return vfs.Fault{}
}

func (g *gate) seen(k vfs.Kind) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.calls, k)
}

// A file is not closed, and not deleted, while it is read, whoever wants that.
func TestNothingClosesAFileInUse(t *testing.T) {
	for name, act := range map[string]func(l *framelog.Log, other framelog.Pos) error{
		"remove": func(l *framelog.Log, _ framelog.Pos) error { return l.Remove(1) },
		"close":  func(l *framelog.Log, _ framelog.Pos) error { return l.Close() },
		"room for another file": func(l *framelog.Log, other framelog.Pos) error {
			_, err := l.ReadFrame(other, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem, m := vfs.NewMem(dir), model{}
				l := open(t, mem, dir, small())
				ps := m.fill(t, l, 30)
				l.Close()
				o := small()
				o.MaxOpen = 1
				g := newGate(ps[0].Segment)
				faults := vfs.NewFaults(mem, nil)
				l = open(t, faults, dir, o)
				if err := l.Sync(); err != nil { // so that none has to open files later
					t.Fatal(err)
				}
				faults.SetHook(g.hook)
				blockedRead(t, l, m, ps[0], g, func() error { return act(l, ps[29]) })
			})
		})
	}
}

// blockedRead starts a read of p that the gate holds up, then act, and lets the read go on
// when act has come to rest.
func blockedRead(t *testing.T, l *framelog.Log, m model, p framelog.Pos, g *gate, act func() error) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		if body, err := l.ReadFrame(p, nil); err != nil || string(body) != m[p] {
			t.Errorf("held up read: %q, %v", body, err)
		}
	})
	<-g.entered
	wg.Go(func() {
		if err := act(); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	if g.seen(vfs.OpClose) || g.seen(vfs.OpRemove) {
		t.Errorf("calls during the read: %v", g.calls)
	}
	close(g.open)
	wg.Wait()
}

// A file that is replaced while a Sync runs is not closed under it, and is passed over when its
// turn comes later.
func TestReplacedDuringSync(t *testing.T) {
	for name, segment := range map[string]uint64{"the file in hand": 2, "the next file": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, mem, faults := faulty(t)
				m := model{}
				for l.End().Segment < 2 {
					m.fill(t, l, 1)
				}
				g := newGate(segment)
				g.kind = vfs.OpSync
				faults.SetHook(g.hook)
				var wg sync.WaitGroup
				wg.Go(func() {
					if err := l.Sync(); err != nil {
						t.Error(err)
					}
				})
				<-g.entered
				faults.SetHook(vfs.Chain(once(failedWrite()), once(failKinds(syscall.EIO, vfs.OpSync)), g.hook))
				wg.Go(func() {
					if _, err := appendAll(l, "is not written"); !errors.Is(err, syscall.EIO) {
						t.Error(err)
					}
				})
				synctest.Wait()
				if g.seen(vfs.OpClose) {
					t.Error("closed during its sync")
				}
				close(g.open)
				wg.Wait()
				if files, err := mem.ReadDir(dir); len(files) != 2 || err != nil {
					t.Errorf("%d files, %v, want two segments", len(files), err)
				}
				m.intact(t, l)
				m.intact(t, open(t, mem.Crash(vfs.Loss{}), dir, small()))
			})
		})
	}
}

// Resume opens the file anew, but not under a read.
func TestResumeDuringRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, m := vfs.NewMem(dir), model{}
		l := open(t, mem, dir, small())
		p := m.add(t, l, "x")[0]
		l.Close()
		end := l.End()
		g := newGate(1)
		faults := vfs.NewFaults(mem, nil)
		l = open(t, faults, dir, small())
		faults.SetHook(g.hook)
		blockedRead(t, l, m, p, g, func() error {
			if ok, err := l.Resume(end); !ok || err != nil {
				return fmt.Errorf("resumed: %v, %w", ok, err)
			}
			return nil
		})
	})
}

// bigLog makes a log of frames so large that a scan reads its segments in several steps.
func bigLog(t *testing.T, segmentBytes int64) (*framelog.Log, *vfs.Faults, model, []framelog.Pos) {
	t.Helper()
	faults := vfs.NewFaults(vfs.NewMem(dir), nil)
	l := open(t, faults, dir, &framelog.Options{ID: logID, SegmentBytes: segmentBytes})
	m := model{}
	var ps []framelog.Pos
	for i := range 30 {
		ps = append(ps, m.add(t, l, strings.Repeat(string(rune('a'+i)), 400<<10))...)
	}
	return l, faults, m, ps
}

// A scan leaves a segment that is removed under it and goes on with the next.
func TestRemoveDuringScan(t *testing.T) {
	l, _, _, ps := bigLog(t, 5<<20)
	n := 0
	for f, err := range l.Scan(framelog.Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Pos == ps[1] {
			if err := l.Remove(1); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
	if first := segmentSize(ps, 1); n >= len(ps) || n < len(ps)-first+2 {
		t.Errorf("%d of %d frames were seen, %d of them removed", n, len(ps), first)
	}
}

func segmentSize(ps []framelog.Pos, segment uint64) (n int) {
	for _, p := range ps {
		if p.Segment == segment {
			n++
		}
	}
	return n
}

// A scan goes on where it was when a file is replaced under it, and still sees no later
// frames.
func TestRelocationDuringScan(t *testing.T) {
	l, faults, m, ps := bigLog(t, 64<<20)
	var seen []framelog.Pos
	for f, err := range l.Scan(framelog.Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		if string(f.Body) != m[f.Pos] {
			t.Errorf("frame %v is not what it was", f.Pos)
		}
		seen = append(seen, f.Pos)
		if len(seen)%10 != 1 {
			continue
		}
		if _, err := appendAll(l, "later"); err != nil {
			t.Fatal(err)
		}
		faults.SetHook(once(failKinds(syscall.EIO, vfs.OpSync)))
		if err := l.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != len(ps) {
		t.Errorf("%d frames were seen, want %d", len(seen), len(ps))
	}
}
