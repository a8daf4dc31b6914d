package buildabi

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	abi "github.com/larderbuild/larder/buildabi"
)

// client is a connection whose other end reads at once, or from some point on not at all.
type client struct {
	passes, frames, bytes atomic.Int64
	stalled               bool
	took                  func(at time.Time, msgs [][]byte) // nil: nobody asks
}

// Read waits for a client that never says anything.
func (c *client) Read(ctx context.Context) ([]byte, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// Write takes a pass.
func (c *client) Write(ctx context.Context, msgs [][]byte) error {
	if c.stalled && c.passes.Load() > 0 {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if c.took != nil {
		c.took(time.Now(), msgs)
	}
	c.passes.Add(1)
	c.frames.Add(int64(len(msgs)))
	for _, m := range msgs {
		c.bytes.Add(int64(len(m)))
	}
	return nil
}

var errOver = errors.New("the measurement is over")

// show serves the board to the clients until stop, which waits for them. A stalled one may have been dropped.
func show(ctx context.Context, b *abi.Board, clients ...*client) (stop func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	errs := make([]error, len(clients))
	for i, c := range clients {
		group.Go(func() {
			if err := b.Serve(ctx, c); !errors.Is(err, errOver) && !c.stalled {
				errs[i] = err
			}
		})
	}
	return func() error {
		cancel(errOver)
		group.Wait()
		return errors.Join(errs...)
	}
}

func readers(n int) []*client {
	list := make([]*client, n)
	for i := range list {
		list[i] = new(client)
	}
	return list
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "step"
	}
	return list
}
