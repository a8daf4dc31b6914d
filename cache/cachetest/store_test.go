package cachetest_test

import (
	"context"
	"testing"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

func TestStore(t *testing.T) {
	cachetest.Run(t, func(t testing.TB) cachetest.Store { return open(t, nil) }, nil)
}

func open(t testing.TB, o *cache.Options) cachetest.Store {
	t.Helper()
	s, err := cachetest.Open(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOf(t *testing.T) {
	s, err := cache.Open(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	of := cachetest.Of(s)
	if _, ok := of.(cachetest.Reopener); ok {
		t.Error("a store of unknown options can be opened again")
	}
	var key cache.Key
	if err := of.Put(t.Context(), key, cachetest.Artifact{ExitCode: 7}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	if a.ExitCode() != 7 {
		t.Errorf("exit code %d, want 7", a.ExitCode())
	}
}
