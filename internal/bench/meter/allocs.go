package meter

import "runtime"

// Allocs calls op n times and returns the heap allocations of one call. It counts what other
// goroutines allocate meanwhile, so few calls on a busy process mislead.
func Allocs(n int, op func(i int) error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		if err := op(i); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), nil
}
