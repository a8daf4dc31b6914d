package framelog_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// history is what was promised about a log.
type history struct {
	acked   model // appended
	durable model // synced
	maybe   model // in groups whose append failed
	removed map[uint64]bool
	failed  bool // the log refused to go on
}

func newHistory() *history {
	return &history{acked: model{}, durable: model{}, maybe: model{}, removed: map[uint64]bool{}}
}

// append adds a group of distinct frames; what a failed group would have been is noted by
// body.
func (h *history) append(l *framelog.Log, bodies ...string) error {
	ps, err := appendAll(l, bodies...)
	for i, body := range bodies {
		if err != nil {
			h.maybe[framelog.Pos{Offset: uint32(len(h.maybe))}] = body
		} else {
			h.acked[ps[i]] = body
		}
	}
	return err
}

func (h *history) sync(l *framelog.Log) error {
	now := maps.Clone(h.acked)
	if err := l.Sync(); err != nil {
		return err
	}
	h.durable = now
	return nil
}

// remove deletes the first segment, if there are others.
func (h *history) remove(l *framelog.Log) error {
	segs := l.Segments()
	if len(segs) < 2 {
		return nil
	}
	id := segs[0].ID
	h.removed[id] = true // from now on it may be there or not
	now := maps.Clone(h.acked)
	if err := l.Remove(id); err != nil {
		return err
	}
	h.durable = now
	return nil
}

// firstLife is a life that ends by closing the log, or by a kill.
func (h *history) firstLife(t testing.TB, seed uint64) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem(dir)
	l, err := h.live(mem, seed)
	if err != nil {
		t.Fatalf("seed %d: first life: %v", seed, err)
	}
	if seed%2 == 0 {
		return mem.Kill()
	}
	if err := errors.Join(h.sync(l), l.Close()); err != nil {
		t.Fatalf("seed %d: first life: %v", seed, err)
	}
	return mem
}

// secondLife is a life that ends by closing the log.
func (h *history) secondLife(fsys vfs.FS, seed uint64) error {
	l, err := h.live(fsys, seed)
	if l == nil {
		return err
	}
	defer l.Close()
	if err == nil {
		err = h.sync(l)
	}
	return err
}

// live opens the log and does this and that to it, the same for the same seed.
func (h *history) live(fsys vfs.FS, seed uint64) (*framelog.Log, error) {
	r := rand.New(rand.NewPCG(seed, 1))
	l, err := framelog.Open(fsys, dir, small())
	if err != nil {
		return nil, err
	}
	if r.IntN(2) == 0 {
		scan(l, framelog.Pos{})
	}
	for i := range 14 {
		switch err = nil; r.IntN(8) {
		case 0, 1:
			err = h.sync(l)
		case 2:
			err = l.Rotate()
		case 3:
			err = h.remove(l)
		default:
			group := make([]string, 1+r.IntN(4))
			for j := range group {
				group[j] = fmt.Sprintf("seed %d op %d frame %d %s", seed, i, j, strings.Repeat("x", r.IntN(150)))
			}
			err = h.append(l, group...)
		}
		if errors.Is(err, vfs.ErrCrashed) {
			return l, err
		}
		h.failed = h.failed || errors.Is(err, framelog.ErrFailed)
	}
	return l, nil
}

// check opens what is left of a log and returns how it breaks a promise. After a kill nothing
// that was acknowledged is lost.
func (h *history) check(fsys vfs.FS, kill bool) error {
	o := small()
	for p := range h.acked {
		o.MinSegment = max(o.MinSegment, p.Segment+1)
	}
	l, err := framelog.Open(fsys, dir, o)
	if err != nil {
		return err
	}
	defer l.Close()
	s := scan(l, framelog.Pos{})
	if s.err != nil {
		return s.err
	}
	must := h.durable
	if kill {
		must = h.acked
		if len(s.lost()) > 0 {
			return fmt.Errorf("after a kill: %v", s.damage)
		}
	}
	for p, body := range must {
		if got, ok := s.frames[p]; (!ok && !h.removed[p.Segment]) || ok && got != body {
			return fmt.Errorf("frame %v is %.40q, was %.40q; damage %v", p, got, body, s.damage)
		}
	}
	for p, body := range s.frames {
		if h.acked[p] != body && !h.possible(body) {
			return fmt.Errorf("frame %v is %.40q, which was never written", p, body)
		}
	}
	return h.goOn(fsys, l, s.frames)
}

func (h *history) possible(body string) bool {
	for _, b := range h.maybe {
		if b == body {
			return true
		}
	}
	return false
}

// goOn appends to a log that was opened after a crash, and reads everything back in the next
// life.
func (h *history) goOn(fsys vfs.FS, l *framelog.Log, found model) error {
	after := maps.Clone(found)
	for i := range 5 {
		body := fmt.Sprintf("after %d", i)
		ps, err := appendAll(l, body)
		if err != nil {
			return err
		}
		if old, ok := h.acked[ps[0]]; ok {
			return fmt.Errorf("position %v was given to %.40q and again to %q", ps[0], old, body)
		}
		after[ps[0]] = body
	}
	if err := l.Close(); err != nil {
		return err
	}
	l, err := framelog.Open(fsys, dir, small())
	if err != nil {
		return err
	}
	defer l.Close()
	if s := scan(l, framelog.Pos{}); !maps.Equal(s.frames, after) {
		return fmt.Errorf("next life: %d frames, want %d; damage %v", len(s.frames), len(after), s.damage)
	}
	return nil
}

// crashEverywhere plays two lives, crashes the second at each step, and returns the first
// promise that a remaining tree breaks.
func crashEverywhere(t testing.TB, r *rand.Rand, extra func() vfs.Hook) (steps int, err error) {
	seed := r.Uint64()
	for step := 1; ; step++ {
		for _, crash := range []vfs.Hook{vfs.CrashAt(step), vfs.TearAt(step)} {
			h := newHistory()
			mem := h.firstLife(t, seed)
			faults := vfs.NewFaults(mem, vfs.Chain(crash, extra()))
			err := h.secondLife(faults, seed+1)
			if _, crashed := faults.Crashed(); !crashed {
				return step, err
			}
			for name, tree := range mem.Crashes(r, 4) {
				if err := h.check(tree, name == "kill"); err != nil {
					op, _ := faults.Crashed()
					return step, fmt.Errorf("seed %d, crash at %v, %s: %w", seed, op, name, err)
				}
			}
		}
	}
}

func never(vfs.Op) vfs.Fault { return vfs.Fault{} }

func TestCrash(t *testing.T) {
	r := testkit.Rand(t)
	for range rounds {
		steps, err := crashEverywhere(t, r, func() vfs.Hook { return never })
		if err != nil {
			t.Fatal(err)
		}
		if steps < 10 {
			t.Errorf("only %d steps", steps)
		}
	}
}

// The same while a file that failed to sync is replaced.
func TestCrashWhileMoving(t *testing.T) {
	r := testkit.Rand(t)
	for range rounds {
		if _, err := crashEverywhere(t, r, func() vfs.Hook { return once(failKinds(syscall.EIO, vfs.OpSync)) }); err != nil {
			t.Fatal(err)
		}
	}
}

// The crash test sees it when a sync is missing.
func TestCrashTestSees(t *testing.T) {
	for name, path := range map[string]string{"file syncs": ".log", "folder syncs": dir} {
		t.Run(name, func(t *testing.T) {
			r := testkit.Rand(t)
			lie := func() vfs.Hook { return vfs.Lie(func(p string) bool { return strings.HasSuffix(p, path) }) }
			for range 10 * rounds {
				if _, err := crashEverywhere(t, r, lie); err != nil {
					return
				}
			}
			t.Error("nothing was lost")
		})
	}
}
