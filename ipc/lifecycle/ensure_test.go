package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestEnsureStartsOne(t *testing.T) {
	h := newHost(t, "1")
	alone := 0
	o := h.options()
	o.Alone = func() { alone++ }
	spawn := o.Spawn
	o.Spawn = func(ctx context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		attempts := h.noted(lifecycle.EventSpawnAttempt)
		if len(attempts) != 1 || attempts[0].Reason != lifecycle.ReasonNotRunning ||
			attempts[0].Executable != "host" || attempts[0].Version != "1" ||
			attempts[0].PID != os.Getpid() || attempts[0].Endpoint != h.ep.String() {
			t.Errorf("before the spawn: %+v", attempts)
		}
		if info.Endpoint != h.ep || info.Reason != lifecycle.ReasonNotRunning || alone != 1 {
			t.Errorf("spawn %+v, alone %d", info, alone)
		}
		return spawn(ctx, info)
	}
	h.ensure(o)
	h.ensure(o)
	if h.spawns() != 1 {
		t.Errorf("%d servers started", h.spawns())
	}
	if ready := h.noted(lifecycle.EventReady); len(ready) != 1 || ready[0].Server != os.Getpid() ||
		ready[0].Instance == "" || ready[0].Took <= 0 {
		t.Errorf("ready: %+v", ready)
	}
}

func TestEnsureHerd(t *testing.T) {
	h := newHost(t, "1")
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			c, err := lifecycle.Ensure(t.Context(), h.ep, h.options())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if h.spawns() != 1 {
		t.Errorf("%d servers started", h.spawns())
	}
}

func TestEnsureWithoutSpawn(t *testing.T) {
	h := newHost(t, "1")
	if c, err := lifecycle.Ensure(t.Context(), h.ep, nil); !errors.Is(err, ipc.ErrNotRunning) {
		t.Fatalf("nobody there: %v, %v", c, err)
	}
	h.serve(nil)
	c, err := lifecycle.Ensure(t.Context(), h.ep, &lifecycle.Options{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.echo(c)
}

// TestEnsureFault refuses the server by its user: nothing is started, nothing ended.
func TestEnsureFault(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	o := h.options()
	o.Client = &ipc.ClientOptions{Allow: func(ipc.Peer) bool { return false }}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if !errors.Is(err, ipc.ErrRefused) || h.spawns() != 0 || len(h.noted(lifecycle.EventKill)) != 0 {
		t.Errorf("server of a user that is not allowed: %v", err)
	}
	h.ensure(h.options())
}

// TestEnsureStopped waits for a starter that does not go on, and names it.
func TestEnsureStopped(t *testing.T) {
	h := newHost(t, "1")
	_, p := startSleeper(t)
	unlock, err := lifecycle.HoldStart(t.Context(), h.ep, p)
	if err != nil {
		t.Fatal(err)
	}
	o := h.options()
	o.Timeout = 100 * time.Millisecond
	_, err = lifecycle.Ensure(t.Context(), h.ep, o)
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who.Process != p || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("starter that does not go on: %v", err)
	}
	says(t, err, "another process to start", fmt.Sprintf(`process %d, version "stopped"`, p.PID))
	unlock()
	h.ensure(h.options())
}

// TestEnsureAlonePanics has a host that panics while it is alone: others may start a server.
func TestEnsureAlonePanics(t *testing.T) {
	ep, _ := newEndpoint(t)
	o := (&host{}).options()
	o.Alone = func() { panic("no log to rotate") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		lifecycle.Ensure(t.Context(), ep, o)
	}()
	unlock, err := lifecycle.HoldStart(t.Context(), ep, ipc.Process{})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestClientComesBack stops the server under a client: its next call starts another.
func TestClientComesBack(t *testing.T) {
	h := newHost(t, "1")
	c := h.ensure(h.options())
	first := c.Info().Instance
	for i := range 3 {
		if _, err := lifecycle.Stop(t.Context(), h.ep, nil); err != nil {
			t.Fatal(err)
		}
		h.echo(c)
		if h.spawns() != i+2 || c.Info().Instance == first {
			t.Errorf("%d servers started, served by %s", h.spawns(), c.Info().Instance)
		}
	}
}

// TestFolderComesBack removes the folder of a server that has ended, as whoever cleans up does: a client that is left
// starts another one in a new folder, and to stop what is not there is no error and makes none.
func TestFolderComesBack(t *testing.T) {
	h := newHost(t, "1")
	c, dir := h.ensure(h.options()), filepath.Dir(h.ep.Beside(""))
	wantStop(t, h, nil, lifecycle.Drained)
	h.servers.Wait()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	wantStop(t, h, nil, lifecycle.NotRunning)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after a stop of nothing the folder is there again, %v", err)
	}
	h.echo(c)
	if n := h.spawns(); n != 2 {
		t.Errorf("%d servers", n)
	}
}

// TestRedialTooLate has the server go after a client has made sure of it and before it connects.
func TestRedialTooLate(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	var armed atomic.Bool
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		if armed.CompareAndSwap(true, false) {
			wantStop(t, h, nil, lifecycle.Drained)
		}
		return lifecycle.UseIt
	}
	c := h.ensure(o)
	wantStop(t, h, nil, lifecycle.Drained)
	armed.Store(true)
	h.echo(c)
	if h.spawns() != 3 {
		t.Errorf("%d servers started", h.spawns())
	}
}

// TestRedialIsBounded has the server give way to one that never listens after a client has made sure of it and before it connects.
func TestRedialIsBounded(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Timeout = time.Second
	var armed atomic.Bool
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		if armed.CompareAndSwap(true, false) {
			wantStop(t, h, nil, lifecycle.Drained)
			claim(t, h.ep)
		}
		return lifecycle.UseIt
	}
	c := h.ensure(o)
	wantStop(t, h, nil, lifecycle.Drained)
	armed.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 20*o.Timeout)
	defer cancel()
	if _, err := c.Call(ctx, opEcho, nil); err == nil || ctx.Err() != nil {
		t.Errorf("call: %v, %v", err, ctx.Err())
	}
}

// TestEnsureUseSilent has a host that is content with any server meet one that does not listen yet: it is waited for.
func TestEnsureUseSilent(t *testing.T) {
	h := newHost(t, "1")
	claim := claim(t, h.ep)
	o, silent := h.impatient()
	o.Decide = func(lifecycle.ServerInfo) lifecycle.Decision { return lifecycle.UseIt }
	ensured := make(chan *ipc.Client, 1)
	go func() {
		c, err := lifecycle.Ensure(t.Context(), h.ep, o)
		if err != nil {
			t.Error(err)
		}
		ensured <- c
	}()
	<-silent
	h.serveClaim(claim)
	c := <-ensured
	if c == nil {
		t.Fatal("no client")
	}
	defer c.Close()
	h.echo(c)
}
