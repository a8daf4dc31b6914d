package cachetest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	"github.com/larderbuild/larder/cache"
)

// A store under random operations does what a map does.
var modelRules = []rule{
	{"model/random operations", modelRandom},
}

// model is the map that a store is held against.
type model struct {
	t      *trial
	rng    *rand.Rand
	stored map[cache.Key]Artifact
	held   []heldLease
}

type heldLease struct {
	l Leased
	a Artifact
}

func modelRandom(t *trial) {
	m := &model{t: t, rng: rand.New(rand.NewPCG(t.o.Seed, 0)), stored: map[cache.Key]Artifact{}}
	for step := range t.o.Steps {
		if what, err := m.step(); err != nil {
			t.Fatalf("seed %d, step %d: %s: %v", t.o.Seed, step, what, err)
		}
	}
	for len(m.held) > 0 {
		m.release(0)
	}
}

// step does one random operation and says which.
func (m *model) step() (string, error) {
	key := keyOf(m.rng.IntN(12))
	switch n := m.rng.IntN(100); {
	case n < 30:
		return "put", m.put(key)
	case n < 65:
		return "get", m.get(key)
	case n < 80:
		return "delete", m.remove(key)
	case n < 90:
		return "lease", m.lease(key)
	case n < 97:
		return "read a lease and release it", m.readLease()
	case n < 99:
		return "list", m.list()
	default:
		return "reopen", m.reopen()
	}
}

// value makes an artifact of a few parts from a small stock, so that keys share content.
func (m *model) value() Artifact {
	sizes := []int{0, 1, 100, 1024, 1025, 4096, 20_000}
	var a Artifact
	for i := range m.rng.IntN(4) {
		mode := []fs.FileMode{0o644, 0o755}[m.rng.IntN(2)]
		a.Outputs = append(a.Outputs, Output{
			Name:    fmt.Sprintf("%d/out%d", i, m.rng.IntN(5)),
			Mode:    mode,
			Content: noise(sizes[m.rng.IntN(len(sizes))], m.rng.IntN(4)),
		})
	}
	if m.rng.IntN(3) == 0 {
		a.Stdout, a.Stderr = noise(10, m.rng.IntN(4)), noise(5000, m.rng.IntN(4))
		a.Metadata = noise(m.rng.IntN(200), 0)
	}
	a.ExitCode = m.rng.IntN(3)
	return a
}

func (m *model) put(key cache.Key) error {
	a := m.value()
	if m.rng.IntN(8) == 0 {
		a.Outputs = append(a.Outputs, Output{Name: "../bad"})
		if err := m.t.store.Put(m.t.ctx, key, a); err == nil {
			return errors.New("a bad name was stored")
		}
		return m.get(key)
	}
	m.stored[key] = a
	if err := m.t.store.Put(m.t.ctx, key, a); err != nil {
		return err
	}
	return m.get(key)
}

func (m *model) get(key cache.Key) error {
	a, ok := m.stored[key]
	if !ok {
		return absent(m.t.ctx, m.t.store, key)
	}
	return same(m.t.ctx, m.t.store, key, a)
}

func (m *model) remove(key cache.Key) error {
	_, ok := m.stored[key]
	delete(m.stored, key)
	err := m.t.store.Delete(m.t.ctx, key)
	if !ok {
		if !errors.Is(err, cache.ErrNotFound) {
			return fmt.Errorf("absent key: %w", err)
		}
		return nil
	}
	return err
}

// lease keeps an artifact for later, if the store can.
func (m *model) lease(key cache.Key) error {
	a, ok := m.stored[key]
	if _, can := m.t.store.(Holder); !can || !ok || len(m.held) > 5 {
		return nil
	}
	l, err := m.t.store.Get(m.t.ctx, key)
	if err != nil {
		return err
	}
	m.t.Cleanup(l.Release)
	m.held = append(m.held, heldLease{l, a})
	return nil
}

func (m *model) readLease() error {
	if len(m.held) == 0 {
		return nil
	}
	i := m.rng.IntN(len(m.held))
	defer m.release(i)
	return reads(m.held[i].l, m.held[i].a)
}

func (m *model) release(i int) {
	m.held[i].l.Release()
	m.held[i] = m.held[len(m.held)-1]
	m.held = m.held[:len(m.held)-1]
}

func (m *model) list() error {
	n := 0
	for key, err := range m.t.store.All(m.t.ctx) {
		if err != nil {
			return err
		}
		if _, ok := m.stored[key]; !ok {
			return fmt.Errorf("key %v is not stored", key)
		}
		n++
	}
	if n != len(m.stored) {
		return fmt.Errorf("%d keys, want %d", n, len(m.stored))
	}
	return nil
}

// reopen goes through Close, so the leases end first.
func (m *model) reopen() error {
	r, ok := m.t.store.(Reopener)
	if !ok {
		return nil
	}
	for len(m.held) > 0 {
		m.release(0)
	}
	s, err := r.Reopen(m.t.ctx)
	if err != nil {
		return err
	}
	m.t.store = s
	return m.list()
}

// unlessAbsent drops the error that says that a key is not there.
func unlessAbsent(err error) error {
	if errors.Is(err, cache.ErrNotFound) {
		return nil
	}
	return err
}
