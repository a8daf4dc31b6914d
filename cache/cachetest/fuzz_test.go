package cachetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// FuzzNames holds the name checks of Memory against those of cache.Store, which were written apart.
func FuzzNames(f *testing.F) {
	for _, name := range cachetest.BadNames() {
		f.Add(name, "other")
	}
	for _, pair := range cachetest.Clashes() {
		f.Add(pair[0], pair[1])
	}
	for _, name := range cachetest.GoodNames() {
		f.Add(name, "x/"+name)
	}
	disk, memory := open(f, nil), cachetest.NewMemory()
	f.Cleanup(func() {
		if err := disk.Close(context.Background()); err != nil {
			f.Error(err)
		}
	})
	f.Fuzz(func(t *testing.T, one, other string) {
		a := cachetest.Artifact{Outputs: []cachetest.Output{{Name: one}, {Name: other}}}
		onDisk, inMemory := disk.Put(t.Context(), cache.Key{}, a), memory.Put(t.Context(), cache.Key{}, a)
		diskBlames, memoryBlames := blamed(onDisk), blamed(inMemory)
		if (onDisk == nil) != (inMemory == nil) || diskBlames != memoryBlames {
			t.Errorf("outputs %q, %q: the store says %v, Memory says %v", one, other, onDisk, inMemory)
		}
	})
}

func blamed(err error) string {
	if bad, ok := errors.AsType[*cache.NameError](err); ok {
		return bad.Name
	}
	return ""
}
