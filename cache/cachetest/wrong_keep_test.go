package cachetest_test

import (
	"bytes"
	"context"
	"sync"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// counter counts by key. It is safe for concurrent use.
type counter struct {
	mu sync.Mutex
	n  map[cache.Key]int
}

func (c *counter) add(key cache.Key, n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[cache.Key]int{}
	}
	c.n[key] += n
	return c.n[key]
}

// only returns the content of an artifact that is one file.
func only(a artifact) []byte {
	if len(a.Outputs) != 1 {
		return nil
	}
	return a.Outputs[0].Content
}

// twins returns the other keys with the same lone content.
func twins(m *memory, key cache.Key) (list []cache.Key) {
	mine, _ := m.Value(key)
	for _, k := range m.Keys() {
		a, _ := m.Value(k)
		if k != key && only(mine) != nil && bytes.Equal(only(a), only(mine)) {
			list = append(list, k)
		}
	}
	return list
}

var wrongReplaces = []wrong{
	{"the first put wins", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if _, there := m.Value(key); there && ctx.Err() == nil {
				return nil
			}
			return m.Put(ctx, key, a)
		}
	}, []string{"replace/wins", "replace/leased"}},
	{"the first get after a put is stale", func(m *memory, f *faulty) {
		stale := map[cache.Key]artifact{}
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if old, there := m.Value(key); there {
				stale[key] = old
			}
			return m.Put(ctx, key, a)
		}
		f.read = func(key cache.Key, a *artifact) error {
			if old, there := stale[key]; there {
				*a = old
				delete(stale, key)
			}
			return nil
		}
	}, []string{"replace/wins", "replace/leased"}},
	{"leases follow a put", func(m *memory, f *faulty) {
		f.read = func(key cache.Key, a *artifact) error {
			if now, there := m.Value(key); there {
				*a = now
			}
			return nil
		}
	}, []string{"replace/leased"}},
	{"a put of the same counts twice", func(m *memory, f *faulty) {
		extra := map[cache.Key]artifact{}
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			old, there := m.Value(key)
			delete(extra, key)
			if there && cachetest.Diff(old, a) == "" {
				extra[key] = a
			}
			return m.Put(ctx, key, a)
		}
		f.del = func(ctx context.Context, key cache.Key) error {
			err := m.Delete(ctx, key)
			if a, there := extra[key]; there {
				delete(extra, key)
				return m.Put(ctx, key, a)
			}
			return err
		}
	}, []string{"replace/with the same"}},
}

var wrongDeletes = []wrong{
	{"ignores deletes", func(m *memory, f *faulty) {
		f.del = func(_ context.Context, key cache.Key) error {
			if _, there := m.Value(key); !there {
				return cache.ErrNotFound
			}
			return nil
		}
	}, []string{"delete/gone at once", "delete/absent", "delete/leased"}},
	{"a deleted key is there once more", func(m *memory, f *faulty) {
		ghosts := map[cache.Key]artifact{}
		f.del = func(ctx context.Context, key cache.Key) error {
			if a, there := m.Value(key); there && len(m.Keys()) == 1 {
				ghosts[key] = a
			}
			return m.Delete(ctx, key)
		}
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			a, ghost := ghosts[key]
			if !ghost || len(m.Keys()) > 0 {
				return m.Get(ctx, key)
			}
			delete(ghosts, key)
			m.StoreUnchecked(key, a)
			defer func() { _ = m.Delete(ctx, key) }()
			return m.Get(ctx, key)
		}
	}, []string{"delete/gone at once", "delete/leased"}},
	{"a delete of nothing succeeds", func(m *memory, f *faulty) {
		f.del = func(ctx context.Context, key cache.Key) error {
			if err := m.Delete(ctx, key); err != cache.ErrNotFound {
				return err
			}
			return nil
		}
	}, []string{"delete/absent"}},
	{"a second delete succeeds", func(m *memory, f *faulty) {
		var deleted counter
		f.del = func(ctx context.Context, key cache.Key) error {
			err := m.Delete(ctx, key)
			if err == cache.ErrNotFound && deleted.add(key, 1) > 1 {
				return nil
			}
			deleted.add(key, 1)
			return err
		}
	}, []string{"delete/absent"}},
	{"a delete takes another key along", func(m *memory, f *faulty) {
		f.del = func(ctx context.Context, key cache.Key) error {
			for _, k := range m.Keys() {
				if k != key {
					_ = m.Delete(ctx, k)
					break
				}
			}
			return m.Delete(ctx, key)
		}
	}, []string{"delete/others stay"}},
	{"leases end with the key", func(m *memory, f *faulty) {
		f.read = func(key cache.Key, _ *artifact) error {
			if _, there := m.Value(key); !there {
				return cache.ErrNotFound
			}
			return nil
		}
	}, []string{"delete/leased"}},
	{"leases of deleted keys follow the next put", func(m *memory, f *faulty) {
		var deleted counter
		f.del = func(ctx context.Context, key cache.Key) error {
			deleted.add(key, 1)
			return m.Delete(ctx, key)
		}
		f.read = func(key cache.Key, a *artifact) error {
			if now, there := m.Value(key); there && deleted.add(key, 0) > 0 {
				*a = now
			}
			return nil
		}
	}, []string{"delete/leased, then put"}},
}

var wrongShared = []wrong{
	{"a delete takes shared content along", func(m *memory, f *faulty) {
		f.del = func(ctx context.Context, key cache.Key) error {
			for _, k := range twins(m, key) {
				_ = m.Delete(ctx, k)
			}
			return m.Delete(ctx, key)
		}
	}, []string{"shared/delete one", "shared/delete both, put again", "shared/leased"}},
	{"content that two keys gave up stays gone", func(m *memory, f *faulty) {
		gone, shared := map[string]bool{}, map[string]bool{}
		f.del = func(ctx context.Context, key cache.Key) error {
			a, _ := m.Value(key)
			if len(twins(m, key)) > 0 {
				shared[string(only(a))] = true
			} else if shared[string(only(a))] {
				gone[string(only(a))] = true
			}
			return m.Delete(ctx, key)
		}
		f.read = func(_ cache.Key, a *artifact) error {
			if gone[string(only(*a))] {
				return cache.ErrCorrupt
			}
			return nil
		}
	}, []string{"shared/delete both, put again", "shared/leased"}},
	{"the last release drops content that was put again", func(m *memory, f *faulty) {
		var deleted counter
		f.del = func(ctx context.Context, key cache.Key) error {
			deleted.add(key, 1)
			return m.Delete(ctx, key)
		}
		f.release = func(l leased, calls int) {
			for _, key := range m.Keys() {
				a, _ := m.Value(key)
				mine := *cachetest.Value(l)
				if calls == 1 && deleted.add(key, 0) > 0 && len(only(a)) > 0 && len(only(mine)) > 0 &&
					&only(a)[0] != &only(mine)[0] && bytes.Equal(only(a), only(mine)) {
					_ = m.Delete(context.Background(), key)
				}
			}
		}
	}, []string{"shared/leased"}},
	{"a put drops the shared content it replaces", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if old, there := m.Value(key); there && cachetest.Diff(old, a) != "" {
				for _, k := range twins(m, key) {
					_ = m.Delete(ctx, k)
				}
			}
			return m.Put(ctx, key, a)
		}
	}, []string{"shared/replace one"}},
}
