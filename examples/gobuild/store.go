package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/larderbuild/larder/cache"
)

// patience is how long the commands that look after a store wait for a go command that
// has it.
const patience = 5 * time.Second

// withStore opens an existing store, lets use work on it, and closes it.
func withStore(ctx context.Context, dir string, wait time.Duration, use func(root string, s *cache.Store) error) error {
	root, err := rootOf(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(root); err != nil {
		return fmt.Errorf("no store: %w", err)
	}
	s, err := cache.Open(ctx, root, &cache.Options{LockWait: wait})
	if err != nil {
		return err
	}
	err = use(root, s)
	return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
}
