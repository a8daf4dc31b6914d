package meter_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/bench/meter"
)

func TestRateCallsEachNumberOnce(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[int]int)
	n, perSecond, err := meter.Rate(t.Context(), meter.Load{Workers: 4, Count: 1000},
		func(i int) error {
			mu.Lock()
			defer mu.Unlock()
			seen[i]++
			return nil
		})
	if err != nil || n != 1000 || len(seen) != 1000 || perSecond <= 0 {
		t.Errorf("%d calls of %d numbers, %v/s, error %v", n, len(seen), perSecond, err)
	}
}

func TestRateEndsWithItsTime(t *testing.T) {
	n, _, err := meter.Rate(t.Context(), meter.Load{For: 5 * time.Millisecond},
		func(int) error { return nil })
	if err != nil || n == 0 {
		t.Errorf("%d calls, error %v", n, err)
	}
}

func TestRateStopsAtAnError(t *testing.T) {
	broken := errors.New("broken")
	var late atomic.Bool
	_, _, err := meter.Rate(t.Context(), meter.Load{Workers: 2, For: time.Minute},
		func(i int) error {
			if i == 100 || i == 10_000_000 { // the latter ends a worker that did not stop
				late.Store(i > 100)
				return broken
			}
			return nil
		})
	if !errors.Is(err, broken) || late.Load() {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestRateStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := meter.Rate(ctx, meter.Load{For: time.Minute}, func(i int) error {
		if i == 100 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestAllocs(t *testing.T) {
	var keep []*[64]byte
	got, err := meter.Allocs(1000, func(int) error {
		keep = append(keep[:0], new([64]byte), new([64]byte))
		return nil
	})
	if err != nil || got < 2 || got > 2.5 {
		t.Errorf("%v allocations a call, error %v, want 2", got, err)
	}
}

func TestSelfCountsAllocations(t *testing.T) {
	var kept [][]byte
	before := meter.ReadSelf()
	for range 1000 {
		kept = append(kept, make([]byte, 64))
	}
	used := meter.ReadSelf().Minus(before)
	if used.Allocs < 1000 || used.Allocs > 3000 || len(kept) != 1000 {
		t.Errorf("%d allocations, want 1000 and a few", used.Allocs)
	}
	if used.CPU < 0 {
		t.Errorf("CPU time %v", used.CPU)
	}
}
