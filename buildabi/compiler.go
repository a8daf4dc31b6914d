package buildabi

import (
	"context"
	"errors"
	"fmt"
	stack "runtime/debug"
	"sync"
)

// compiler makes main.wasm on request, for requests at the same time only once.
type compiler struct {
	hook func(ctx context.Context, debug bool) ([]byte, error)

	mu      sync.Mutex
	running [2]*compilation // release, debug; nil when none is
}

// compilation is one call of the hook.
type compilation struct {
	waiting  int // requests
	cancel   context.CancelFunc
	done     chan struct{} // closed when the result is there
	bytes    []byte
	err      error
	panicked any // what the hook panicked with
}

var errNoResult = errors.New("the compilation has ended without a result")

// get joins the running compilation or starts one, and waits for it as long as ctx lasts.
func (c *compiler) get(ctx context.Context, debug bool) ([]byte, error) {
	slot := &c.running[0]
	if debug {
		slot = &c.running[1]
	}
	c.mu.Lock()
	if *slot == nil {
		*slot = c.start(ctx, slot, debug)
	}
	run := *slot
	run.waiting++
	c.mu.Unlock()
	defer c.leave(slot, run)
	select {
	case <-run.done:
		if run.panicked != nil {
			panic(run.panicked) // of the request, as for any hook: the server survives that
		}
		return run.bytes, run.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// start calls the hook in a goroutine of its own, because the request that came first may
// leave before the others. It ends with the hook, which is cancelled when the last has left.
func (c *compiler) start(ctx context.Context, slot **compilation, debug bool) *compilation {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	run := &compilation{cancel: cancel, done: make(chan struct{}), err: errNoResult}
	go func() {
		defer func() {
			if v := recover(); v != nil {
				run.panicked = fmt.Sprintf("compile: %v\n%s", v, stack.Stack())
			}
			c.mu.Lock()
			if *slot == run {
				*slot = nil
			}
			c.mu.Unlock()
			close(run.done)
		}()
		run.bytes, run.err = c.hook(ctx, debug)
	}()
	return run
}

// leave cancels a compilation that nobody waits for, and keeps others from joining it.
func (c *compiler) leave(slot **compilation, run *compilation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	run.waiting--
	if run.waiting > 0 {
		return
	}
	run.cancel()
	if *slot == run {
		*slot = nil
	}
}
