package cachetest_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

var wrongPuts = []wrong{
	{"the first miss is an empty artifact", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			if len(m.Keys()) == 0 {
				m.StoreUnchecked(key, artifact{})
			}
			return m.Get(ctx, key)
		}
	}, []string{"get/miss"}},
	{"a miss is an error of its own", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			l, err := m.Get(ctx, key)
			if err == cache.ErrNotFound && len(m.Keys()) == 0 {
				err = fs.ErrNotExist
			}
			return l, err
		}
	}, []string{"get/miss"}},
	{"readers share one copy", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			l, err := m.Get(ctx, key)
			if err != nil {
				return nil, err
			}
			return sharing{l, *cachetest.Value(l)}, nil
		}
	}, []string{"get/own copy"}},
	{"a lease keeps what it read", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			l, err := m.Get(ctx, key)
			if err != nil {
				return nil, err
			}
			a, err := l.Read()
			return sharing{l, a}, err
		}
	}, []string{"get/own copy"}},
	{"a lease has one reader at a time", func(_ *memory, f *faulty) {
		var reading sync.Mutex
		f.free = true
		f.read = func(cache.Key, *artifact) error {
			if !reading.TryLock() {
				return cache.ErrNotFound
			}
			defer reading.Unlock()
			for range 1000 {
				runtime.Gosched()
			}
			return nil
		}
	}, []string{"get/many readers"}},
	{"keeps the slices of a put", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			err := m.Put(ctx, key, a)
			if err == nil {
				m.StoreUnchecked(key, a)
			}
			return err
		}
	}, []string{"put/own copy"}},
	{"loses the exit code beside many outputs", reads(func(a *artifact) {
		if len(a.Outputs) > 3 {
			a.ExitCode = 0
		}
	}), []string{"put/everything"}},
	{"sorts outputs", reads(func(a *artifact) {
		slices.SortFunc(a.Outputs, func(a, b output) int { return strings.Compare(a.Name, b.Name) })
	}), []string{"put/order of outputs", "put/everything", "put/many outputs", "put/modes"}},
	{"forgets modes", readsOutputs(func(o *output) {
		o.Mode &^= 0o111
	}), []string{"put/modes", "put/everything", "put/same content twice"}},
	{"makes what only its owner can read executable", readsOutputs(func(o *output) {
		if o.Mode.Perm() == 0o600 {
			o.Mode |= 0o100
		}
	}), []string{"put/modes"}},
	{"cleans the text of links", readsOutputs(func(o *output) {
		if o.Target != "" {
			o.Target = path.Clean(o.Target)
		}
	}), []string{"put/symlinks"}},
	{"swaps the streams", reads(func(a *artifact) {
		a.Stdout, a.Stderr = a.Stderr, a.Stdout
	}), []string{"put/streams", "put/everything", "put/own copy"}},
	{"cuts long streams", reads(func(a *artifact) {
		a.Stderr = a.Stderr[:min(len(a.Stderr), 200_000)]
	}), []string{"put/streams"}},
	{"keeps a byte of the exit code", reads(func(a *artifact) {
		a.ExitCode = int(uint8(a.ExitCode))
	}), []string{"put/exit code"}},
	{"rounds the cost", reads(func(a *artifact) {
		a.Cost = a.Cost.Round(time.Microsecond)
	}), []string{"put/cost", "put/everything"}},
	{"cuts metadata", reads(func(a *artifact) {
		a.Metadata = a.Metadata[:min(len(a.Metadata), 60_000)]
	}), []string{"put/metadata"}},
	{"takes any metadata", puts(func(m *memory, _ cache.Key, a *artifact) {
		a.Metadata = a.Metadata[:min(len(a.Metadata), 64<<10)]
	}), []string{"put/metadata too large"}},
	{"keeps the rest of what has too much metadata", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			err := m.Put(ctx, key, a)
			if len(a.Metadata) > 64<<10 {
				m.StoreUnchecked(key, a)
			}
			return err
		}
	}, []string{"put/metadata too large"}},
	{"takes an empty artifact for none", func(m *memory, f *faulty) {
		f.get = func(ctx context.Context, key cache.Key) (leased, error) {
			a, ok := m.Value(key)
			if ok && cachetest.Diff(artifact{}, a) == "" {
				return nil, cache.ErrNotFound
			}
			return m.Get(ctx, key)
		}
	}, []string{"put/empty artifact"}},
	{"gives equal contents one mode", reads(func(a *artifact) {
		modes := map[string]fs.FileMode{}
		for i, o := range a.Outputs {
			if mode, ok := modes[string(o.Content)]; ok && len(a.Outputs) == 2 {
				a.Outputs[i].Mode = mode
			}
			modes[string(o.Content)] = o.Mode
		}
	}), []string{"put/same content twice"}},
	{"holds 999 outputs", reads(func(a *artifact) {
		a.Outputs = a.Outputs[:min(len(a.Outputs), 999)]
	}), []string{"put/many outputs"}},
	{"cuts long names", readsOutputs(func(o *output) {
		o.Name = o.Name[:min(len(o.Name), 1000)]
	}), []string{"put/long names"}},
	{"has room for twelve bytes of a lone name", reads(func(a *artifact) {
		if len(a.Outputs) == 1 && strings.HasPrefix(a.Outputs[0].Name, "nnn") {
			a.Outputs[0].Name = a.Outputs[0].Name[:12]
		}
	}), []string{"put/long names"}},
	{"puts whatever the context says", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			return m.Put(context.WithoutCancel(ctx), key, a)
		}
	}, []string{"put/cancelled"}},
	{"puts, then looks at the context", func(m *memory, f *faulty) {
		f.put = func(ctx context.Context, key cache.Key, a artifact) error {
			if err := m.Put(context.WithoutCancel(ctx), key, a); err != nil {
				return err
			}
			return ctx.Err()
		}
	}, []string{"put/cancelled"}},
}

// sharing reads the store's own value.
type sharing struct {
	cachetest.Leased
	a artifact
}

func (s sharing) Read() (artifact, error) { return s.a, nil }

// wrongSizes has a store for each size that loses the last byte of such a file, or adds one to
// an empty one.
func wrongSizes() (list []wrong) {
	for _, size := range cachetest.Sizes {
		change := reads(func(a *artifact) {
			if len(a.Outputs) != 1 || len(a.Outputs[0].Content) != size || a.Outputs[0].Name != "out" {
				return
			}
			if size == 0 {
				a.Outputs[0].Content = []byte("x")
			} else {
				a.Outputs[0].Content[size-1] ^= 1
			}
		})
		name := fmt.Sprintf("changes files of %d bytes", size)
		list = append(list, wrong{name, change, []string{fmt.Sprint("put/sizes/", size)}})
	}
	return list
}
