package cachetest_test

import (
	"testing"

	"github.com/larderbuild/larder/cache/cachetest"
)

func TestMemory(t *testing.T) {
	cachetest.Run(t, func(testing.TB) cachetest.Store { return cachetest.NewMemory() }, nil)
}
