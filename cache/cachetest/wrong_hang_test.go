package cachetest_test

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/larderbuild/larder/cache"
)

// wrongHangs are stores that never answer some call. A rule that sees it waits for as long as it
// may.
var wrongHangs = []wrong{
	{"locks while it reads", func(m *memory, f *faulty) {
		var mu sync.Mutex
		f.streams = func(ctx context.Context, key cache.Key, list []stream) error {
			mu.Lock()
			defer mu.Unlock()
			return m.PutStreams(ctx, key, list...)
		}
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			mu.Lock()
			defer mu.Unlock()
			return m.Put(ctx, key, a)
		}
	}, []string{"stream/invisible until whole"}},
	{"locks while it lists", func(m *memory, f *faulty) {
		var mu sync.Mutex
		f.all = func(ctx context.Context) iter.Seq2[cache.Key, error] {
			return func(yield func(cache.Key, error) bool) {
				mu.Lock()
				defer mu.Unlock()
				m.All(ctx)(yield)
			}
		}
		f.del = func(ctx context.Context, key cache.Key) error {
			mu.Lock()
			defer mu.Unlock()
			return m.Delete(ctx, key)
		}
	}, []string{"list/body calls the store"}},
	{"callers cannot leave", func(m *memory, f *faulty) {
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			return m.Do(context.WithoutCancel(ctx), key, build)
		}
	}, []string{"build/first caller leaves", "build/last caller leaves"}},
	{"builds go on when nobody waits", func(m *memory, f *faulty) {
		life, end := context.WithCancel(context.Background())
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			return m.Do(ctx, key, func(ctx context.Context) (artifact, error) {
				ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
				defer cancel()
				defer context.AfterFunc(life, cancel)()
				return build(ctx)
			})
		}
		f.close = func(ctx context.Context) error {
			end()
			return m.Close(ctx)
		}
	}, []string{"build/last caller leaves"}},
	{"waits for itself", before(func(c call) buildFunc {
		return func(ctx context.Context) (artifact, error) { return c.build(forgetful{ctx}) }
	}), []string{"build/recursion", "build/recursion through another key"}},
	{"close leaves builds alone", func(m *memory, f *faulty) {
		var running atomic.Int64
		f.do = func(ctx context.Context, key cache.Key, build buildFunc) (leased, error) {
			running.Add(1)
			defer running.Add(-1)
			return m.Do(ctx, key, build)
		}
		f.close = func(ctx context.Context) error {
			if running.Load() > 0 {
				return nil
			}
			return m.Close(ctx)
		}
	}, []string{"build/close ends it"}},
}
