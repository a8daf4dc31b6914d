package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// brokerWait is how long a broker waits for a process that still has the store.
const brokerWait = time.Second

// broker owns the store for all go commands of the user.
type broker struct {
	root string
	lock os.FileInfo // of the store's lock file
	srv  *ipc.Server
	log  *slog.Logger
	sessions
}

// runBroker is the process that owns the store, until nobody has needed it for a while.
func runBroker(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	ready := flags.String("ready", "", "`handle` of who waits for the broker")
	idle := flags.Duration("idle", idleAfter, "end after so long without a go command; 0 is never")
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	starter, err := lifecycle.OpenReadiness(*ready)
	if err != nil {
		return exitFailure, err
	}
	err = lifecycle.CloseInherited()
	if err == nil {
		err = c.beBroker(*dir, starter, *idle)
	}
	if err != nil {
		starter.Fail(err)
	}
	return exitOK, err
}

func (c *call) beBroker(dir string, starter *lifecycle.Readiness, idle time.Duration) error {
	signal.Ignore(os.Interrupt, syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	root, err := rootOf(dir)
	if err != nil {
		return err
	}
	ep, err := endpoint(root)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &broker{root: root, log: newLogger(c.stderr, slog.LevelInfo)}
	made := version(self)
	b.srv = ipc.NewServer(&ipc.ServerOptions{Version: made, IdleAfter: idle, Events: b.event})
	claim, err := lifecycle.Claim(ctx, ep, &lifecycle.ClaimOptions{
		Version: made, Instance: b.srv.Info().Instance, Starter: starter,
	})
	if err != nil {
		return errors.Join(err, b.srv.Close())
	}
	if err := b.open(ctx); err != nil {
		return errors.Join(err, claim.Close(), b.srv.Close())
	}
	return b.serve(ctx, claim)
}

func (b *broker) open(ctx context.Context) error {
	store, err := cache.Open(ctx, b.root, &cache.Options{LockWait: brokerWait, Logger: b.log})
	if err != nil {
		return err
	}
	b.sessions.init(store)
	if b.lock, err = os.Stat(lockFile(b.root)); err != nil {
		return errors.Join(err, store.Close(context.WithoutCancel(ctx)))
	}
	return nil
}

func lockFile(root string) string { return filepath.Join(root, "LOCK") }

// session lets a go command in, unless the store's folder was removed under this broker: then it drains,
// and the go command comes back with a new one.
func (b *broker) session(ctx context.Context, r *ipc.Request, st *ipc.Stream) error {
	now, err := os.Stat(lockFile(b.root))
	if err != nil && !errors.Is(err, fs.ErrNotExist) || os.SameFile(b.lock, now) {
		return b.sessions.session(ctx, r, st)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	b.srv.Drain(ended, "the store's folder is gone") // begins, and does not wait for this very session
	return errNoSession
}

// serve returns when the broker was drained and its store is closed.
func (b *broker) serve(ctx context.Context, claim *lifecycle.Held) error {
	b.srv.HandleStream(opSession, b.session)
	b.srv.HandleFast(opGet, b.get)
	b.srv.Handle(opPut, b.put)
	b.srv.HandleStream(opUpload, b.upload)
	b.srv.Handle(opCommand, b.command)
	var upkeep sync.WaitGroup
	upkeep.Go(func() { keepUp(b.store, b.log) }) // ends when the store is closed
	// The claim goes last: who finds the endpoint free finds the store free too.
	return b.srv.Serve(ctx, &closing{Held: claim, before: func() error {
		b.sessions.end()
		err := b.store.Close(context.Background())
		upkeep.Wait()
		return err
	}})
}

// closing is a claim that is given up after something else.
type closing struct {
	*lifecycle.Held
	before func() error
}

// Close implements [ipc.Source].
func (c *closing) Close() error { return errors.Join(c.before(), c.Held.Close()) }

// event logs what the broker's server tells, and lets the sessions go when it drains: their streams
// would hold it up for as long as the builds take. Each goes on with the next broker.
func (b *broker) event(e ipc.Event) {
	switch e.Kind {
	case ipc.EventDraining, ipc.EventDiedIdle, ipc.EventDiedRequest, ipc.EventDiedCancelled:
		b.sessions.end()
	}
	var attrs []any
	if e.Reason != "" {
		attrs = append(attrs, "reason", e.Reason)
	}
	if e.Err != nil {
		attrs = append(attrs, "err", e.Err)
	}
	b.log.Info(e.Kind, attrs...)
}

// version orders builds of this program: by when they were made.
func version(self string) string {
	made := int64(0)
	if fi, err := os.Stat(self); err == nil {
		made = fi.ModTime().UnixNano()
	}
	return fmt.Sprintf("%020d", made)
}
