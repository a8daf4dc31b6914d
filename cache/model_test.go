package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// model is a plain map beside a store, and artifacts that are held while the store goes on.
type model struct {
	t     *testing.T
	rng   *rand.Rand
	opt   Options
	seams seams
	root  string
	s     *Store
	want  map[string]string
	held  []heldArtifact
}

type heldArtifact struct {
	a    *Artifact
	text string
}

// TestModel runs random verbs, upkeep, damage of the index and reopening against a map.
func TestModel(t *testing.T) {
	for round := range modelRounds {
		rng := testkit.Rand(t)
		m := &model{t: t, rng: rng, want: map[string]string{}, root: crashRoot}
		m.opt = mustDefaults(t, &Options{
			InlineBelow: []int{-1, 0, 16, 4096}[rng.IntN(4)], Durability: Durability(rng.IntN(3)), Reserve: -1})
		if round%4 == 0 {
			m.root, m.seams = t.TempDir(), osSeams(32<<10)
		} else {
			m.seams = seams{fs: vfs.NewMem("/d"), segmentBytes: 8 << 10}
		}
		m.open()
		for range 400 {
			m.step()
			if t.Failed() {
				return
			}
		}
		m.checkAll()
		m.reopen()
		m.checkAll()
		m.releaseAll()
		if err := m.s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *model) open() {
	s, err := open(m.t.Context(), m.root, m.opt, m.seams)
	if err != nil {
		m.t.Fatal(err)
	}
	m.s = s
}

func (m *model) reopen() {
	m.releaseAll()
	if err := m.s.Close(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	m.open()
}

func (m *model) step() {
	name := fmt.Sprint("k", m.rng.IntN(24))
	switch p := m.rng.IntN(100); {
	case p < 40:
		text := killText(m.rng.IntN(9), m.rng.IntN(40)) // few texts: payloads are shared
		if err := putText(m.s, name, text); err != nil {
			m.t.Errorf("put %s: %v", name, err)
		}
		m.want[name] = text
	case p < 55:
		_, there := m.want[name]
		if err := m.s.Delete(m.t.Context(), nameKey(name)); errors.Is(err, ErrNotFound) == there || err != nil && there {
			m.t.Errorf("delete %s, there %v: %v", name, there, err)
		}
		delete(m.want, name)
	case p < 80:
		m.check(name)
	case p < 86:
		m.hold(name)
	case p < 90 && len(m.held) > 0:
		m.release(m.rng.IntN(len(m.held)))
	case p < 93:
		m.s.commitMu.Lock()
		err := m.s.flush(false)
		m.s.commitMu.Unlock()
		if err != nil {
			m.t.Error(err)
		}
	case p < 96:
		if err := m.s.compact(m.t.Context()); err != nil {
			m.t.Errorf("compact: %v", err)
		}
	case p < 97:
		m.s.distrust(errors.New("told so by the test"))
	case p < 98:
		m.s.park()
	case p < 99:
		m.reopen()
	}
}

func (m *model) check(name string) {
	got, err := getText(m.s, name)
	if err != nil || got != m.want[name] {
		m.t.Errorf("get %s: %.40q, %v, want %.40q", name, got, err, m.want[name])
	}
}

// hold keeps an artifact while its key is replaced and deleted.
func (m *model) hold(name string) {
	a, err := m.s.Get(m.t.Context(), nameKey(name))
	if err != nil {
		if m.want[name] != "" {
			m.t.Errorf("get %s: %v", name, err)
		}
		return
	}
	m.held = append(m.held, heldArtifact{a, m.want[name]})
}

func (m *model) release(i int) {
	h := m.held[i]
	b, err := h.a.Bytes("out")
	if err != nil || string(b) != h.text {
		m.t.Errorf("held artifact: %.40q, %v, want %.40q", b, err, h.text)
	}
	if strings.HasPrefix(h.text, "multi") {
		if b, err := h.a.Bytes("more/second"); err != nil || string(b) != strings.Repeat(h.text, 300) {
			m.t.Errorf("second output of a held artifact: %.40q, %v", b, err)
		}
	}
	h.a.Release()
	m.held = append(m.held[:i], m.held[i+1:]...)
}

func (m *model) releaseAll() {
	for len(m.held) > 0 {
		m.release(0)
	}
}

// checkAll compares everything: entries, the list, counters, and the payload files on disk.
func (m *model) checkAll() {
	listed := map[Key]bool{}
	for e, err := range m.s.All(m.t.Context()) {
		if err != nil || listed[e.Key] {
			m.t.Fatalf("list: %v, twice %v", err, listed[e.Key])
		}
		listed[e.Key] = true
	}
	for name := range m.want {
		m.check(name)
		if !listed[nameKey(name)] {
			m.t.Errorf("%s is not listed", name)
		}
	}
	st := m.s.Stats()
	if len(listed) != len(m.want) || st.Entries != int64(len(m.want)) {
		m.t.Errorf("%d entries listed, %d counted, want %d", len(listed), st.Entries, len(m.want))
	}
}

// TestConcurrentVerbs runs every verb at once, upkeep too, and demands that each get sees a whole version.
func TestConcurrentVerbs(t *testing.T) {
	s, err := open(t.Context(), t.TempDir(), mustDefaults(t, &Options{Reserve: -1}), osSeams(32<<10))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var upkeep, wg sync.WaitGroup
	upkeep.Go(func() { s.Run(ctx) })
	upkeep.Go(func() {
		for ctx.Err() == nil {
			if err := s.compact(ctx); err != nil {
				t.Error(err)
			}
			s.park()
		}
	})
	for g := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range 300 {
				id := rng.IntN(20)
				name := fmt.Sprint("k", id)
				switch rng.IntN(4) {
				case 0:
					if err := putText(s, name, killText(id, i)); err != nil {
						t.Error(err)
					}
				case 1:
					if err := s.Delete(ctx, nameKey(name)); err != nil && !errors.Is(err, ErrNotFound) {
						t.Error(err)
					}
				default:
					var gotID, v int
					got, err := getText(s, name)
					_, rest, _ := strings.Cut(got, " ")
					fmt.Sscanf(rest, "%d %d", &gotID, &v)
					if err != nil || got != "" && (gotID != id || got != killText(id, v)) {
						t.Errorf("%s: %.60q, %v", name, got, err)
					}
				}
			}
		})
	}
	wg.Wait()
	cancel()
	upkeep.Wait()
	if st := s.Stats(); st.Corrupt != 0 || st.Leases != 0 {
		t.Errorf("after a quiet end: %+v", st)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCloseDuring closes the store under running verbs of every kind: each ends, with its result or ErrClosed.
func TestCloseDuring(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), &Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := putText(s, "multi", "multi"); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var wg sync.WaitGroup
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	busy := make(chan struct{}, 64)
	until := func(verb func() error) {
		wg.Go(func() {
			for n := 0; ; n++ {
				err := verb()
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n == 3 {
					busy <- struct{}{}
				}
			}
		})
	}
	until(func() error { return putText(s, "a", strings.Repeat("a", 5000)) })
	until(func() error { _, err := getText(s, "multi"); return err })
	until(func() error { return deliverOnce(s, "multi", root) })
	until(func() error {
		if err := s.Delete(ctx, nameKey("a")); !errors.Is(err, ErrNotFound) {
			return err
		}
		return nil
	})
	until(func() error { return s.Sync(ctx) })
	until(func() error {
		if _, err := s.Verify(ctx, nil); !errors.Is(err, index.ErrDamaged) {
			return err
		}
		return nil // the index was distrusted while it was listed
	})
	until(func() error { s.distrust(errors.New("rebuild, please")); return putText(s, "r", "r") })
	built := make(chan struct{})
	wg.Go(func() {
		_, err := s.Do(ctx, nameKey("never"), func(ctx context.Context, _ *Draft) error {
			close(built)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if !errors.Is(err, ErrClosed) {
			t.Errorf("do: %v", err)
		}
	})
	<-built
	for range 7 {
		<-busy
	}
	closing, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.Close(closing); err != nil {
		t.Errorf("close: %v", err)
	}
	wg.Wait()
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
	if err := s.Close(ctx); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// TestCloseInTime reports what came of the store and not the context, when both have ended.
func TestCloseInTime(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 30 {
		s, _ := openMem(t, nil)
		if err := s.Close(ended); err != nil {
			t.Fatal(err)
		}
	}
}

// deliverOnce gets and delivers an entry, or meets the miss of an index that is being rebuilt.
func deliverOnce(s *Store, name string, root *os.Root) error {
	a, err := s.Get(context.Background(), nameKey(name))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer a.Release()
	_, err = a.Deliver(context.Background(), root, nil)
	return err
}

// TestCloseWithLease reports the lease, keeps the content readable, and gives the root up with the last Release.
func TestCloseWithLease(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := putText(s, "k", strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	a, err := s.Get(t.Context(), nameKey("k"))
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.Close(done)
	if held, ok := errors.AsType[*HeldError](err); !ok || len(held.Leases) != 1 || held.Leases[0].Key != nameKey("k") {
		t.Fatalf("close: %v", err)
	}
	if _, err := s.Get(t.Context(), nameKey("k")); !errors.Is(err, ErrClosed) {
		t.Errorf("get after close: %v", err)
	}
	if b, err := a.Bytes("out"); err != nil || len(b) != 5000 {
		t.Errorf("held artifact after close: %d bytes, %v", len(b), err)
	}
	if _, err := Open(t.Context(), dir, nil); !errors.As(err, new(*LockedError)) {
		t.Errorf("open while a lease is held: %v", err)
	}
	a.Release()
	if s, err = Open(t.Context(), dir, nil); err != nil {
		t.Fatalf("open after the last release: %v", err)
	}
	s.Close(t.Context())
}
