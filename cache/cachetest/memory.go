package cachetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/larderbuild/larder/cache"
)

// Memory is a [Store] in memory with every ability of this package, for tests of hosts.
// It is safe for concurrent use. It has no limit of its size.
type Memory struct {
	mu      sync.Mutex
	content map[cache.Key]Artifact // values are never changed, only replaced
	held    map[cache.Key]int
	builds  map[cache.Key]*build
	running int // builds whose goroutine has not ended
	closed  bool
	idle    chan struct{} // replaced and closed at each release and each end of a build
	done    context.Context
	finish  context.CancelCauseFunc
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return newMemory(map[cache.Key]Artifact{}) }

func newMemory(content map[cache.Key]Artifact) *Memory {
	m := &Memory{
		content: content,
		held:    map[cache.Key]int{},
		builds:  map[cache.Key]*build{},
		idle:    make(chan struct{}),
	}
	m.done, m.finish = context.WithCancelCause(context.Background())
	return m
}

// Put stores a copy of a. It fails with a [*cache.NameError], [cache.ErrTooLarge],
// [cache.ErrClosed] or ctx's error.
func (m *Memory) Put(ctx context.Context, key cache.Key, a Artifact) error {
	if err := check(a); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.store(key, a.clone())
}

// store keeps a itself, unchecked.
func (m *Memory) store(key cache.Key, a Artifact) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return cache.ErrClosed
	}
	m.content[key] = a
	return nil
}

// PutStreams reads every output to its end before it stores any.
func (m *Memory) PutStreams(ctx context.Context, key cache.Key, outputs ...Stream) error {
	var a Artifact
	for _, s := range outputs {
		content, err := s.read()
		if err != nil {
			return err
		}
		a.Outputs = append(a.Outputs, Output{Name: s.Name, Mode: s.Mode, Content: content})
	}
	return m.Put(ctx, key, a)
}

// Get leases what is under key. It fails with [cache.ErrNotFound] or [cache.ErrClosed].
func (m *Memory) Get(_ context.Context, key cache.Key) (Leased, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, cache.ErrClosed
	}
	a, ok := m.content[key]
	if !ok {
		return nil, cache.ErrNotFound
	}
	return m.lease(key, a), nil
}

// Delete forgets key. Leases on it stay readable.
func (m *Memory) Delete(_ context.Context, key cache.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return cache.ErrClosed
	}
	if _, ok := m.content[key]; !ok {
		return cache.ErrNotFound
	}
	delete(m.content, key)
	return nil
}

// All yields the keys that were there when it started.
func (m *Memory) All(ctx context.Context) iter.Seq2[cache.Key, error] {
	return func(yield func(cache.Key, error) bool) {
		m.mu.Lock()
		keys, closed := slices.Collect(maps.Keys(m.content)), m.closed
		m.mu.Unlock()
		if closed {
			yield(cache.Key{}, cache.ErrClosed)
			return
		}
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				yield(cache.Key{}, err)
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

// Close refuses new work, cancels builds, and waits for them and for leases until ctx ends, when it
// fails with a [*cache.HeldError], or ctx's error if only builds are left.
func (m *Memory) Close(ctx context.Context) error {
	m.finish(cache.ErrClosed)
	for {
		m.mu.Lock()
		m.closed = true
		busy, idle := len(m.held)+m.running > 0, m.idle
		m.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return m.heldError(ctx.Err())
		}
	}
}

func (m *Memory) heldError(otherwise error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var e cache.HeldError
	for key, n := range m.held {
		e.Leases = append(e.Leases, cache.Lease{Key: key, Count: n})
	}
	if len(e.Leases) == 0 {
		return otherwise
	}
	return &e
}

// wake has Close look again. The caller holds mu.
func (m *Memory) wake() {
	close(m.idle)
	m.idle = make(chan struct{})
}

// Reopen closes m and returns a new store over its content.
func (m *Memory) Reopen(ctx context.Context) (Store, error) {
	if err := m.Close(ctx); err != nil {
		return nil, err
	}
	return newMemory(m.content), nil
}

// Held counts the leases that are not released yet.
func (m *Memory) Held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, count := range m.held {
		n += count
	}
	return n
}
