package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/ipc"
)

// patience is how long the commands that look after a store wait for a go command that
// has it to itself, and for a broker that begins or ends.
const patience = 5 * time.Second

// withStore opens a store, lets use work on it, and closes it.
func withStore(ctx context.Context, root string, wait time.Duration, use func(*cache.Store) error) error {
	s, err := cache.Open(ctx, root, &cache.Options{LockWait: wait})
	if err != nil {
		return err
	}
	err = use(s)
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}

// keepUp does the store's own work until that is closed.
func keepUp(s *cache.Store, log *slog.Logger) {
	if err := s.Run(context.Background()); err != nil {
		log.Warn("the store's upkeep has ended", "err", err)
	}
}

// connector reaches the broker of a store.
type connector func(*reach, context.Context) (*ipc.Client, error)

// work is what a command does with a store; it returns the exit code.
type work func(ctx context.Context, root string, s *cache.Store) (int, error)

// onStore does work on an existing store. If connect finds the store's broker, it is the broker that runs the
// command: [reach.dial] for what is done at once, [reach.ensure] for what go commands had to wait for otherwise.
func (c *call) onStore(dir string, connect connector, do work) (code int, err error) {
	if b := c.broker; b != nil {
		return do(c.ctx, b.root, b.store)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	root, err := rootOf(dir)
	if err != nil {
		return exitFailure, err
	}
	if _, err := os.Stat(root); err != nil {
		return exitFailure, fmt.Errorf("no store: %w", err)
	}
	if r, err := newReach(root, idleAfter); err == nil {
		if client, err := connect(r, ctx); err == nil {
			return c.relay(ctx, client)
		}
	}
	err = withStore(ctx, root, patience, func(s *cache.Store) (err error) {
		code, err = do(ctx, root, s)
		return err
	})
	return code, err
}
