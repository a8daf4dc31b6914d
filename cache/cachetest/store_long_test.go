//go:build long

package cachetest_test

import (
	"context"
	"testing"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// TestStoreOptions runs the suite with other options than the defaults, and below Run.
func TestStoreOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    *cache.Options
	}{
		{"nothing inline", &cache.Options{InlineBelow: -1}},
		{"most inline, no sync", &cache.Options{InlineBelow: 4096, Durability: cache.None}},
		{"always durable", &cache.Options{Durability: cache.Always}},
		{"parks at once", &cache.Options{ParkAfter: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := &cachetest.Options{Steps: 2000}
			cachetest.Run(t, func(t testing.TB) cachetest.Store { return upkept(t, c.o) }, o)
		})
	}
}

// upkept opens a store whose Run goes on until it is closed.
func upkept(t testing.TB, o *cache.Options) cachetest.Store {
	t.Helper()
	s, err := cache.Open(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return cachetest.Of(s)
}
