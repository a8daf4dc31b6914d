package store

import (
	"context"
	"path/filepath"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/peer"
)

// fixtures are stores of many small artifacts, made once a run and shared by cases.
type fixtures struct {
	env  *frame.Env
	made map[int]fixture
}

// fixture is a closed store of n entries with the keys content.Key(0) to content.Key(n-1).
type fixture struct {
	dir    string
	loaded loaded
	err    error
}

func newFixtures(env *frame.Env) *fixtures {
	return &fixtures{env: env, made: make(map[int]fixture)}
}

// of returns the fixture of n entries. What failed once is not tried again.
func (f *fixtures) of(ctx context.Context, n int) (fixture, error) {
	made, ok := f.made[n]
	if !ok {
		made = f.make(ctx, n)
		f.made[n] = made
	}
	return made, made.err
}

func (f *fixtures) make(ctx context.Context, n int) fixture {
	dir, _, err := f.env.TempDir("index")
	if err != nil {
		return fixture{err: err}
	}
	f.env.Log.Printf("store: loading %s entries", count(n))
	dir = filepath.Join(dir, "root")
	result, err := child.Run[loaded](ctx, jobLoad, loading{Dir: dir, Entries: n})
	if err == nil {
		f.env.Log.Printf("store: loaded at %.0f entries/s", result.PerSecond)
	}
	return fixture{dir: dir, loaded: result, err: err}
}

const jobLoad = "load"

type loading struct {
	Dir     string
	Entries int
}

type loaded struct {
	PerSecond     float64
	PeakAnonymous int64  // bytes, closing included
	MemoryError   string // why PeakAnonymous is not known
}

// loaders is how many goroutines fill a fixture, so that commits are shared.
const loaders = 64

// load fills a new store. Each artifact has one inline output, so loading measures the index
// and the log, not the file system.
func load(ctx context.Context, p loading) (loaded, error) {
	var result loaded
	fill := func(ctx context.Context) (err error) {
		result.PerSecond, err = fillStore(ctx, p)
		return err
	}
	if _, err := meter.ReadMemory(); err != nil {
		result.MemoryError = err.Error()
		return result, fill(ctx)
	}
	peak, err := meter.PeakAnonymous(ctx, fill)
	result.PeakAnonymous = peak
	return result, err
}

func fillStore(ctx context.Context, p loading) (perSecond float64, err error) {
	s, err := peer.OpenLarder(p.Dir, nil)
	if err != nil {
		return 0, err
	}
	_, perSecond, err = meter.Rate(ctx, meter.Load{Workers: loaders, Count: p.Entries},
		func(i int) error {
			key := content.Key(i)
			return s.Put(key, append(key[:], key[:]...))
		})
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	return perSecond, err
}
