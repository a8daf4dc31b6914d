package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// lockWait is how long a go command waits for the store while another one has it.
const lockWait = 200 * time.Millisecond

// runServe serves one go command.
func runServe(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	counts := flags.String("counts", "", "`file` to write counters to while serving")
	direct := flags.Bool("direct", false, "open the store in this process: no broker is started or asked")
	idle := flags.Duration("idle", idleAfter, "how long a broker that is started here stays without a go command; 0 is for ever")
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	if *idle < 0 {
		return exitUsage, fmt.Errorf("%w: -idle is negative", errUsage)
	}
	root, noRoot := rootOf(*dir)
	sessions := "" // the system's temporary folder
	if noRoot == nil {
		sessions = filepath.Join(root, "sessions")
	}
	// The go command ends at once, without cleaning up, if its cache dies first; an
	// interrupt from a terminal is for both. The end of input is what ends this one.
	ignoreSignals()
	// A session is short and its heap small: without this, opening the store alone would
	// start a collection.
	debug.SetGCPercent(400)
	s := &server{root: root, noRoot: noRoot, log: newLogger(c.stderr, slog.LevelWarn), idle: *idle, direct: *direct}
	var counters gocacheprog.Counters
	stop := writeCounts(*counts, &counters)
	err := gocacheprog.Serve(context.Background(), os.Stdin, os.Stdout, s.open, &gocacheprog.Options{
		Sessions: sessions,
		Logger:   s.log,
		Counters: &counters,
	})
	code := exitOK
	if isGone(err) { // as after Ctrl-C, which is nothing to tell the user of
		code, err = exitFailure, nil
	}
	// The go command waits for the end of our output, but not for the store.
	return code, errors.Join(err, stop(), os.Stdout.Close(), s.close())
}

// server finds the store of one session.
type server struct {
	root   string
	noRoot error // why there is none
	log    *slog.Logger
	idle   time.Duration
	direct bool
	store  *cache.Store // nil when a broker has it
	upkeep sync.WaitGroup
}

// open is the session's [gocacheprog.Opener]. Where no broker can be had, the session
// tries to have the store to itself.
func (s *server) open(ctx context.Context) (gocacheprog.Store, error) {
	if s.noRoot != nil {
		return nil, s.noRoot
	}
	if !s.direct {
		store, err := s.join(ctx)
		if err == nil || ctx.Err() != nil {
			return store, err
		}
		s.log.Warn("no broker: the store is opened for this go command alone", "err", briefly(err))
	}
	return s.openDirectly(ctx)
}

// briefly leaves the broker's log out when that ends with the error itself.
func briefly(err error) error {
	e, ok := errors.AsType[*lifecycle.StartError](err)
	if ok && strings.HasSuffix(strings.TrimSpace(e.Log), e.Err.Error()) {
		return e.Err
	}
	return err
}

// join reaches the store through its broker, which is started if need be.
func (s *server) join(ctx context.Context) (gocacheprog.Store, error) {
	r, err := newReach(s.root, s.idle)
	if err != nil {
		return nil, err
	}
	return r.join(ctx)
}

func (s *server) openDirectly(ctx context.Context) (gocacheprog.Store, error) {
	store, err := cache.Open(ctx, s.root, &cache.Options{LockWait: lockWait, Logger: s.log})
	if err != nil {
		return nil, err
	}
	s.store = store
	s.upkeep.Go(func() { keepUp(store, s.log) }) // ends when the store is closed
	return gocacheprog.Over(store), nil
}

func (s *server) close() error {
	if s.store == nil {
		return nil
	}
	defer s.upkeep.Wait()
	return s.store.Close(context.Background())
}
