package buildabi

import (
	"slices"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// TestReportChain compares the chain of reports with a plain list of when each came.
func TestReportChain(t *testing.T) {
	const steps, before = 8, 100
	rand := testkit.Rand(t)
	r, came := newReports(steps, before), make([]uint64, steps)
	for range 3000 {
		step := rand.IntN(steps)
		r.put(step, nil)
		came[step] = r.count
		seen := max(r.count-rand.Uint64N(20), before)
		var want []int
		for step, count := range came {
			if count > seen {
				want = append(want, step)
			}
		}
		if got := r.since(seen, nil); !slices.Equal(got, want) {
			t.Fatalf("since %d came %v, want %v; all came %v", seen, got, want, came)
		}
	}
}
