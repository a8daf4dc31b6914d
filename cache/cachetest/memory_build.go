package cachetest

import (
	"context"
	"errors"
	"runtime/debug"

	"github.com/larderbuild/larder/cache"
)

// build is one build that callers of Do wait for.
type build struct {
	callers int // who wait; the last to leave cancels
	cancel  context.CancelFunc
	done    chan struct{} // closed when a and err are set
	a       Artifact
	err     error
}

// inBuild is a context key: the build of this key of this store is under way above.
type inBuild struct {
	m   *Memory
	key cache.Key
}

// Do returns what is under key, or has one build make it for all who ask at a time. The build
// runs on a goroutine that ends with it; its context ends when the last caller has left or m is
// closed. An error of the build, or its panic as a [*cache.PanicError], is every caller's error.
func (m *Memory) Do(ctx context.Context, key cache.Key,
	f func(context.Context) (Artifact, error)) (Leased, error) {
	if ctx.Value(inBuild{m, key}) != nil {
		return nil, cache.ErrRecursive
	}
	l, b, err := m.join(ctx, key, f)
	if b == nil {
		return l, err
	}
	select {
	case <-b.done:
	case <-ctx.Done():
		m.leave(key, b)
		return nil, ctx.Err()
	}
	if b.err != nil {
		return nil, b.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, cache.ErrClosed
	}
	return m.lease(key, b.a), nil
}

// join returns a lease, or the build to wait for.
func (m *Memory) join(ctx context.Context, key cache.Key, f buildFunc) (Leased, *build, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, nil, cache.ErrClosed
	}
	if a, ok := m.content[key]; ok {
		return m.lease(key, a), nil, nil
	}
	b := m.builds[key]
	if b == nil {
		b = m.start(ctx, key, f)
	}
	b.callers++
	return nil, b, nil
}

// start begins a build with the values of ctx and a life of its own. The caller holds mu.
func (m *Memory) start(ctx context.Context, key cache.Key, f buildFunc) *build {
	ctx = context.WithValue(context.WithoutCancel(ctx), inBuild{m, key}, true)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.done, cancel)
	b := &build{cancel: cancel, done: make(chan struct{})}
	m.builds[key] = b
	m.running++
	go func() { // ends with f, which the last caller or Close cancels; Close waits for it
		defer stop()
		defer cancel()
		defer m.end(key, b)
		b.err = errors.New("cachetest: do: the build ended its goroutine")
		defer func() {
			if v := recover(); v != nil {
				b.err = &cache.PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		b.a, b.err = f(ctx)
		if b.err == nil {
			b.a = b.a.clone()
			b.err = m.Put(ctx, key, b.a)
		}
	}()
	return b
}

func (m *Memory) end(key cache.Key, b *build) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(key, b)
	m.running--
	close(b.done)
	m.wake()
}

// leave drops one caller. Whoever comes after the last one starts anew.
func (m *Memory) leave(key cache.Key, b *build) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.callers--; b.callers == 0 {
		b.cancel()
		m.forget(key, b)
	}
}

func (m *Memory) forget(key cache.Key, b *build) {
	if m.builds[key] == b {
		delete(m.builds, key)
	}
}
