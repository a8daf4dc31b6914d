package ipc

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// Jobs of the two processes of a task.
const (
	jobServe = "ipc-serve"
	jobCall  = "ipc-call"
)

// collectRarely is the garbage collector's percentage in both processes.
const collectRarely = 400

// calling says what a process does, and where the server's files are.
type calling struct {
	Task    string
	Dir     string
	Size    int // of a message
	Callers int
}

// serve serves the task and tells whoever asks what it has used so far.
func serve(ctx context.Context, p calling) (any, error) {
	debug.SetGCPercent(collectRarely)
	t, err := taskNamed(p.Task)
	if err != nil {
		return nil, err
	}
	stop, err := t.serve(p.Dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	return nil, child.Answer(ctx, func(context.Context, struct{}) (meter.Self, error) {
		return meter.ReadSelf(), nil
	})
}

// amount bounds one round: by the operations of all callers together, or by time.
type amount struct {
	Ops int
	For time.Duration
}

// spent is what a round took.
type spent struct {
	Ops  int
	Wall time.Duration
	Self meter.Self
}

// call does rounds of the task.
func call(ctx context.Context, p calling) (any, error) {
	debug.SetGCPercent(collectRarely)
	t, err := taskNamed(p.Task)
	if err != nil {
		return nil, err
	}
	ops, err := t.open(ctx, p)
	if err != nil {
		return nil, err
	}
	return nil, child.Answer(ctx, func(_ context.Context, a amount) (spent, error) {
		return doRound(ops, a)
	})
}

func doRound(ops []operation, a amount) (spent, error) {
	var callers sync.WaitGroup
	counts, errs := make([]int, len(ops)), make([]error, len(ops))
	before, start := meter.ReadSelf(), time.Now()
	for i, op := range ops {
		callers.Go(func() { counts[i], errs[i] = repeat(op, a.Ops/len(ops), start.Add(a.For)) })
	}
	callers.Wait()
	s := spent{Wall: time.Since(start), Self: meter.ReadSelf().Minus(before)}
	for _, n := range counts {
		s.Ops += n
	}
	return s, errors.Join(errs...)
}

// repeat does op n times, or until end if n is 0, but once at least.
func repeat(op operation, n int, end time.Time) (done int, err error) {
	for done == 0 || n > 0 && done < n || n == 0 && time.Now().Before(end) {
		if err := op(); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}
