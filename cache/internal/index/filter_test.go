package index_test

import (
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/cache/internal/index"
)

// TestFilterErrors counts how often a full filter is wrong: once in a hundred keys.
func TestFilterErrors(t *testing.T) {
	const others = 10_000
	for _, n := range []int{index.FilterKeys, 3 * index.FilterKeys} {
		errs := index.FilterErrors(n, others, func(i int) uint64 { return xxhash.Sum64(binaryKey(i)) })
		if errs == 0 || errs > others*2/100 {
			t.Errorf("%d keys: wrong for %d of %d", n, errs, others)
		}
		t.Logf("%d keys: wrong for %d of %d", n, errs, others)
	}
}
