package cachetest_test

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/larderbuild/larder/cache"
)

// blur takes keys that differ in their last byte alone for one, when the rest is zero.
func blur(key cache.Key) cache.Key {
	last := key
	last[31] = 0
	if last == (cache.Key{}) {
		return last
	}
	return key
}

var wrongKeys = []wrong{
	{"compares 31 bytes of keys", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			return m.Put(ctx, blur(key), a)
		}
		f.get = func(ctx context.Context, key cache.Key) (leased, error) { return m.Get(ctx, blur(key)) }
	}, []string{"keys/one bit apart"}},
	{"has no zero key", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			if key == (cache.Key{}) {
				return nil, cache.ErrNotFound
			}
			return m.Get(ctx, key)
		}
	}, []string{"keys/one bit apart"}},
	{"shows a put in two steps", func(m *memory, f *faulty) {
		f.free = true
		var gets atomic.Int64
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			defer gets.Add(1)
			return m.Get(ctx, key)
		}
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if old, there := m.Value(key); there && len(old.Outputs) == 4 && len(a.Outputs) == 4 {
				torn := old
				torn.Metadata = a.Metadata
				m.StoreUnchecked(key, torn)
				soon := time.After(time.Millisecond)
				for n := gets.Load(); gets.Load() < n+2; {
					select {
					case <-soon:
						return m.Put(ctx, key, a)
					default:
					}
				}
			}
			return m.Put(ctx, key, a)
		}
	}, []string{"keys/concurrent"}},
	{"mixes up what is read at a time", func(m *memory, f *faulty) {
		n := 0
		var last artifact
		f.read = func(_ cache.Key, a *artifact) error {
			if n++; n > 20 && len(a.Outputs) == 4 && len(last.Outputs) == 4 {
				a.Outputs[1].Content = last.Outputs[1].Content
			}
			last = *a
			return nil
		}
	}, []string{"keys/concurrent"}},
	{"loses a put after three deletes", func(m *memory, f *faulty) {
		var deletes counter
		f.del = func(ctx context.Context, key cache.Key) error {
			deletes.add(key, 1)
			return m.Delete(ctx, key)
		}
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if n := deletes.add(key, 0); n >= 3 && len(a.Outputs) != 4 {
				deletes.add(key, -n)
				return nil
			}
			return m.Put(ctx, key, a)
		}
	}, []string{"model/random operations"}},
	{"a lease forgets what was replaced twice", func(m *memory, f *faulty) {
		var puts counter
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			puts.add(key, 1)
			return m.Put(ctx, key, a)
		}
		f.read = func(key cache.Key, a *artifact) error {
			now, there := m.Value(key)
			if there && puts.add(key, 0) > 3 && len(a.Outputs) != 4 {
				*a = now
			}
			return nil
		}
	}, []string{"model/random operations"}},
}

var wrongLists = []wrong{
	{"lists a key when there is none", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			if len(m.Keys()) > 0 {
				return m.All(ctx)
			}
			return func(yield func(cache.Key, error) bool) { yield(cache.Key{}, nil) }
		}
	}, []string{"list/empty"}},
	{"lists a key twice", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				n := 0
				for key, err := range m.All(ctx) {
					if n++; n == 60 && !yield(key, err) {
						return
					}
					if !yield(key, err) {
						return
					}
				}
			}
		}
	}, []string{"list/every key once"}},
	{"lists 100 keys", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				n := 0
				for key, err := range m.All(ctx) {
					if n++; n > 100 || !yield(key, err) {
						return
					}
				}
			}
		}
	}, []string{"list/every key once"}},
	{"lists deleted keys", func(m *memory, f *faulty) {
		var deleted []cache.Key
		f.del = func(ctx context.Context, key cache.Key) error {
			deleted = append(deleted, key)
			return m.Delete(ctx, key)
		}
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				for key, err := range m.All(ctx) {
					if !yield(key, err) {
						return
					}
				}
				if len(deleted) == 100 {
					yield(deleted[0], nil)
				}
			}
		}
	}, []string{"list/every key once"}},
	{"lists on after a break", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				for key, err := range m.All(ctx) {
					_ = yield(key, err)
				}
			}
		}
	}, []string{"list/stops"}},
	{"ends a list early without a word", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				for key, err := range m.All(ctx) {
					if ctx.Err() != nil || !yield(key, err) {
						return
					}
				}
			}
		}
	}, []string{"list/ended context"}},
	{"lists whatever the context says", func(m *memory, f *faulty) {
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return m.All(context.WithoutCancel(ctx))
		}
	}, []string{"list/ended context"}},
}
