package cachetest_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/larderbuild/larder/cache"
)

var wrongCloses = []wrong{
	{"a second close fails", func(m *memory, f *faulty) {
		closed := 0
		f.close = func(ctx context.Context) error {
			if closed++; closed == 2 {
				return cache.ErrClosed
			}
			return m.Close(ctx)
		}
	}, []string{
		"close/twice", "close/get", "close/put", "close/put streams", "close/delete", "close/list",
		"close/build", "close/held", "close/waits for leases",
	}},
	{"gets miss after close", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			l, err := m.Get(ctx, key)
			if errors.Is(err, cache.ErrClosed) && m.Held() == 0 {
				err = cache.ErrNotFound
			}
			return l, err
		}
	}, []string{"close/get"}},
	{"puts vanish after close", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if err := m.Put(ctx, key, a); !errors.Is(err, cache.ErrClosed) || m.Held() > 0 {
				return err
			}
			return nil
		}
	}, []string{"close/put"}},
	{"streams vanish after close", func(m *memory, f *faulty) {
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			if err := m.PutStreams(ctx, key, list...); !errors.Is(err, cache.ErrClosed) {
				return err
			}
			return nil
		}
	}, []string{"close/put streams"}},
	{"deletes find nothing after close", func(m *memory, f *faulty) {
		f.del = func(ctx context.Context, key cache.Key) error {
			if err := m.Delete(ctx, key); !errors.Is(err, cache.ErrClosed) {
				return err
			}
			return cache.ErrNotFound
		}
	}, []string{"close/delete"}},
	{"lists are empty after close", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				for key, err := range m.All(ctx) {
					if errors.Is(err, cache.ErrClosed) || !yield(key, err) {
						return
					}
				}
			}
		}
	}, []string{"close/list"}},
	{"builds run after close", func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			l, err := m.Do(ctx, key, build)
			if errors.Is(err, cache.ErrClosed) {
				_, _ = build(ctx)
			}
			return l, err
		}
	}, []string{"close/build"}},
	{"close forgets leases", func(m *memory, f *faulty) {
		f.close = func(ctx context.Context) error {
			err := m.Close(ctx)
			if _, held := errors.AsType[*cache.HeldError](err); held {
				return nil
			}
			return err
		}
	}, []string{"close/held"}},
	{"close counts keys, not leases", func(m *memory, f *faulty) {
		f.close = func(ctx context.Context) error {
			err := m.Close(ctx)
			if held, ok := errors.AsType[*cache.HeldError](err); ok {
				for i := range held.Leases {
					held.Leases[i].Count = 1
				}
			}
			return err
		}
	}, []string{"close/held"}},
	{"close names one key", func(m *memory, f *faulty) {
		f.close = func(ctx context.Context) error {
			err := m.Close(ctx)
			if held, ok := errors.AsType[*cache.HeldError](err); ok {
				held.Leases = held.Leases[:1]
			}
			return err
		}
	}, []string{"close/held"}},
	{"close takes content from leases", func(m *memory, f *faulty) {
		var closed atomic.Bool
		f.close = func(ctx context.Context) error {
			closed.Store(ctx.Err() != nil)
			return m.Close(ctx)
		}
		f.read = func(cache.Key, *artifact) error {
			if closed.Load() {
				return cache.ErrClosed
			}
			return nil
		}
	}, []string{"close/held"}},
	{"takes puts while it closes", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			err := m.Put(ctx, key, a)
			if errors.Is(err, cache.ErrClosed) && m.Held() > 0 {
				return nil
			}
			return err
		}
	}, []string{"close/held"}},
	{"close does not wait", func(m *memory, f *faulty) {
		f.close = func(context.Context) error {
			ended, end := context.WithCancel(context.Background())
			end()
			return m.Close(ended)
		}
	}, []string{"close/waits for leases"}},
}

var wrongLeases = []wrong{
	{"counts every release", func(m *memory, f *faulty) {
		extra := 0
		f.release = func(_ leased, calls int) {
			if calls > 1 {
				extra++
			}
		}
		f.held = func() int { return m.Held() - extra }
	}, []string{"lease/release twice"}},
	{"a second release ends another lease", func(m *memory, f *faulty) {
		ended := false
		f.release = func(_ leased, calls int) { ended = ended || calls > 1 }
		f.read = func(cache.Key, *artifact) error {
			if ended && m.Held() > 0 {
				return cache.ErrNotFound
			}
			return nil
		}
	}, []string{"lease/release twice"}},
	{"a miss leaks a lease", func(m *memory, f *faulty) {
		leaked := 0
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			l, err := m.Get(ctx, key)
			if err == cache.ErrNotFound && len(m.Keys()) == 1 {
				leaked++
			}
			return l, err
		}
		f.held = func() int { return m.Held() + leaked }
	}, []string{"lease/count"}},
	{"counts no leases", func(_ *memory, f *faulty) {
		f.held = func() int { return 0 }
	}, []string{"lease/count", "lease/release twice"}},
}
