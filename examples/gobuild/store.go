package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/ipc"
)

// patience is how long the commands that look after a store wait for a go command that
// has it to itself.
const patience = 5 * time.Second

// withStore opens an existing store, lets use work on it, and closes it.
func withStore(ctx context.Context, root string, wait time.Duration, use func(*cache.Store) error) error {
	if _, err := os.Stat(root); err != nil {
		return fmt.Errorf("no store: %w", err)
	}
	s, err := cache.Open(ctx, root, &cache.Options{LockWait: wait})
	if err != nil {
		return err
	}
	err = use(s)
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}

// work is what a command does with a store; it returns the exit code.
type work func(ctx context.Context, root string, s *cache.Store) (int, error)

// onStore does work on an existing store. While a broker has the store, it is the broker that runs the command.
func (c *call) onStore(dir string, do work) (code int, err error) {
	if b := c.broker; b != nil {
		return do(c.ctx, b.root, b.store)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := rootOf(dir)
	if err != nil {
		return exitFailure, err
	}
	use := func(s *cache.Store) (err error) {
		code, err = do(ctx, root, s)
		return err
	}
	err = withStore(ctx, root, 0, use)
	if _, locked := errors.AsType[*cache.LockedError](err); !locked {
		return code, err
	}
	if code, err := c.relay(ctx, root); !errors.Is(err, ipc.ErrNotRunning) {
		return code, err
	}
	return code, withStore(ctx, root, patience, use)
}
