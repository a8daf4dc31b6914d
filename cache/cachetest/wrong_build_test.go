package cachetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// call is one caller's.
type call struct {
	ctx   context.Context
	m     *memory
	key   cache.Key
	build buildFunc
}

// outcome is what one caller got. It is mine when the caller's own build ran.
type outcome struct {
	m    *memory
	key  cache.Key
	mine bool
	l    leased
	err  error
}

// before spoils the build that a caller hands over.
func before(change func(call) buildFunc) fault {
	return func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			return m.Do(ctx, key, change(call{ctx, m, key, build}))
		}
	}
}

// after spoils what a caller gets.
func after(change func(outcome) (leased, error)) fault {
	return func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			var mine atomic.Bool
			l, err := m.Do(ctx, key, func(ctx context.Context) (artifact, error) {
				mine.Store(true)
				return build(ctx)
			})
			return change(outcome{m, key, mine.Load(), l, err})
		}
	}
}

// othersMiss hides an error from all callers but the one whose build ran.
func othersMiss(which func(error) bool) fault {
	return after(func(o outcome) (leased, error) {
		if o.err != nil && !o.mine && which(o.err) {
			return nil, nil
		}
		return o.l, o.err
	})
}

func says(text string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), text) }
}

func panicked(err error) bool {
	_, ok := errors.AsType[*cache.PanicError](err)
	return ok
}

// depth counts nested builds.
type depth struct{}

// recursion changes ErrRecursive at some depth.
func recursion(at int) fault {
	return func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			n, _ := ctx.Value(depth{}).(int)
			l, err := m.Do(context.WithValue(ctx, depth{}, n+1), key, build)
			if err == cache.ErrRecursive && n == at {
				err = cache.ErrNotFound
			}
			return l, err
		}
	}
}

var wrongBuilds = []wrong{
	{"does not keep what was built", after(func(o outcome) (leased, error) {
		if o.err == nil && o.mine && len(cachetest.Value(o.l).Outputs) == 4 {
			_ = o.m.Delete(context.Background(), o.key)
		}
		return o.l, o.err
	}), []string{"build/miss builds and keeps"}},
	{"builds on a hit", func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			if a, there := m.Value(key); there && strings.Contains(string(only(a)), "stored") {
				_, _ = build(ctx)
			}
			return m.Do(ctx, key, build)
		}
	}, []string{"build/hit does not build"}},
	{"has every caller build", func(m *memory, f *faulty) {
		var callers atomic.Int64
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			if _, there := m.Value(key); there || ctx.Value(depth{}) != nil {
				return m.Do(ctx, key, build)
			}
			own := key
			own[0] += byte(callers.Add(1))
			l, err := m.Do(context.WithValue(ctx, depth{}, 1), own, build)
			if err == nil {
				m.StoreUnchecked(key, *cachetest.Value(l))
				_ = m.Delete(context.Background(), own)
			}
			return l, err
		}
	}, []string{
		"build/one for many", "build/error reaches all", "build/panic reaches all",
		"build/exit of its goroutine reaches all", "build/first caller leaves",
		"build/recursion", "build/recursion through another key",
	}},
	{"tells one caller of an error", othersMiss(says("build of caller")), []string{
		"build/error reaches all",
	}},
	{"tells one caller of a panic", othersMiss(panicked), []string{"build/panic reaches all"}},
	{"tells one caller of an exit", othersMiss(says("ended its goroutine")), []string{
		"build/exit of its goroutine reaches all",
	}},
	{"makes a plain error of a panic", after(func(o outcome) (leased, error) {
		if panicked(o.err) {
			o.err = errors.New("panic")
		}
		return o.l, o.err
	}), []string{"build/panic reaches all"}},
	{"keeps what a failed build gave", before(func(c call) buildFunc {
		return func(ctx context.Context) (artifact, error) {
			a, err := c.build(ctx)
			if err != nil && len(a.Outputs) > 0 {
				c.m.StoreUnchecked(c.key, a)
			}
			return a, err
		}
	}), []string{"build/error keeps nothing"}},
	{"keeps errors", func(m *memory, f *faulty) {
		var kept error
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			if kept != nil {
				return nil, kept
			}
			l, err := m.Do(ctx, key, build)
			if err != nil && err.Error() == "the build failed" {
				kept = err
			}
			return l, err
		}
	}, []string{"build/error keeps nothing"}},
	{"keeps what a build gave under a bad name", before(func(c call) buildFunc {
		return func(ctx context.Context) (artifact, error) {
			a, err := c.build(ctx)
			if len(a.Outputs) == 1 && a.Outputs[0].Name == "../bad" {
				a.Outputs = nil
			}
			return a, err
		}
	}), []string{"build/bad name keeps nothing"}},
	{"a build ends with its first caller", before(func(c call) buildFunc {
		return func(ctx context.Context) (artifact, error) {
			return c.build(either{ctx, c.ctx})
		}
	}), []string{"build/first caller leaves"}},
	{"a later caller gets what is left of a build", func(m *memory, f *faulty) {
		var left atomic.Int64
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			if left.Load() == 2 {
				return nil, context.Canceled
			}
			l, err := m.Do(ctx, key, build)
			if errors.Is(err, context.Canceled) {
				left.Add(1)
			}
			return l, err
		}
	}, []string{"build/last caller leaves"}},
	{"misses inside its own build", recursion(1), []string{
		"build/recursion", "build/recursion through another key",
	}},
	{"misses two builds deep", recursion(2), []string{"build/recursion through another key"}},
	{"refuses every nested build", func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			if ctx.Value(depth{}) != nil {
				return nil, cache.ErrRecursive
			}
			return m.Do(context.WithValue(ctx, depth{}, 1), key, build)
		}
	}, []string{"build/nested"}},
	{"builds hold no lease", after(func(o outcome) (leased, error) {
		if o.l != nil {
			o.l.Release()
		}
		return o.l, o.err
	}), []string{"build/holds a lease"}},
	{"failed builds hold a lease", func(m *memory, f *faulty) {
		leaked := 0
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			l, err := m.Do(ctx, key, build)
			if err != nil && err.Error() == "the build failed" {
				leaked++
			}
			return l, err
		}
		f.held = func() int { return m.Held() + leaked }
	}, []string{"build/holds a lease"}},
}

// either is a context that has ended when another one has.
type either struct {
	context.Context
	other context.Context
}

func (e either) Err() error {
	if err := e.other.Err(); err != nil {
		return err
	}
	return e.Context.Err()
}

// forgetful is a context without the values that a store put there.
type forgetful struct{ context.Context }

func (forgetful) Value(any) any { return nil }

var wrongReopens = []wrong{
	{"comes back empty", func(m *memory, f *faulty) {
		f.reopen = func(ctx context.Context) (cachetest.Store, error) {
			return cachetest.NewMemory(), m.Close(ctx)
		}
	}, []string{"reopen/keeps", "reopen/deleted stays deleted", "reopen/replaced stays replaced"}},
	{"comes back without empty artifacts", reopens(func(m *memory, old []put) {
		for _, key := range m.Keys() {
			if a, _ := m.Value(key); cachetest.Diff(artifact{}, a) == "" && len(m.Keys()) == 7 {
				_ = m.Delete(context.Background(), key)
			}
		}
	}), []string{"reopen/keeps"}},
	{"comes back with what was deleted", reopens(func(m *memory, old []put) {
		for _, p := range old {
			if _, there := m.Value(p.key); !there {
				m.StoreUnchecked(p.key, p.a)
			}
		}
	}), []string{"reopen/deleted stays deleted"}},
	{"comes back with what was replaced", reopens(func(m *memory, old []put) {
		for _, p := range slices.Backward(old) {
			if _, there := m.Value(p.key); there {
				m.StoreUnchecked(p.key, p.a)
			}
		}
	}), []string{"reopen/replaced stays replaced"}},
}

type put struct {
	key cache.Key
	a   artifact
}

// reopens spoils what a reopened store holds. It learns all that was put.
func reopens(change func(m *memory, old []put)) fault {
	return func(m *memory, f *faulty) {
		var old []put
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			err := m.Put(ctx, key, a)
			if err == nil {
				old = append(old, put{key, a})
			}
			return err
		}
		f.reopen = func(ctx context.Context) (cachetest.Store, error) {
			s, err := m.Reopen(ctx)
			if err == nil {
				change(s.(*memory), old)
			}
			return s, err
		}
	}
}
