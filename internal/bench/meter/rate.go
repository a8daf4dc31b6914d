package meter

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Load says how an operation is repeated: n times in all, or until the time is over, whichever
// comes first. Zero means no limit; one of the two must be set.
type Load struct {
	Workers int           // goroutines; 0 is 1
	Count   int           // operations of all workers together
	For     time.Duration // wall time
}

// Rate calls op with numbers from 0 on, each once, from load.Workers goroutines, and returns how many
// were done and how many a second. It stops at the first error and returns it.
func Rate(ctx context.Context, load Load, op func(i int) error) (n int, perSecond float64, err error) {
	r := rate{load: load, op: op}
	start := time.Now()
	if load.For > 0 {
		r.end = start.Add(load.For)
	}
	var workers sync.WaitGroup
	for range max(load.Workers, 1) {
		workers.Go(func() { r.work(ctx) })
	}
	workers.Wait()
	elapsed := time.Since(start)
	if err := r.failed.Load(); err != nil {
		return 0, 0, *err
	}
	n = int(r.done.Load())
	return n, float64(n) / elapsed.Seconds(), nil
}

type rate struct {
	load   Load
	op     func(int) error
	end    time.Time
	next   atomic.Int64
	done   atomic.Int64
	failed atomic.Pointer[error]
}

// stride is how many operations pass between two looks at the context by one worker.
const stride = 16

func (r *rate) work(ctx context.Context) {
	done := 0
	defer func() { r.done.Add(int64(done)) }()
	for {
		if done%stride == 0 && ctx.Err() != nil {
			err := context.Cause(ctx)
			r.failed.CompareAndSwap(nil, &err)
		}
		if done > 0 && !r.end.IsZero() && time.Now().After(r.end) {
			return
		}
		i := int(r.next.Add(1)) - 1
		if r.load.Count > 0 && i >= r.load.Count || r.failed.Load() != nil {
			return
		}
		if err := r.op(i); err != nil {
			r.failed.CompareAndSwap(nil, &err)
			return
		}
		done++
	}
}
