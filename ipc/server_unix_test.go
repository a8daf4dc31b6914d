//go:build unix

// Not for Windows: under wine a pipe that its server closes loses what the client has not read.

package ipc_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

func TestStrangers(t *testing.T) {
	refused := make(chan ipc.Event, 1)
	s := newServer(t, &ipc.ServerOptions{
		Allow:  func(p ipc.Peer) bool { return p.PID != os.Getpid() },
		Events: func(e ipc.Event) { refused <- e },
	})
	c := ipctest.Client(t, s, nil)
	_, err := c.Call(t.Context(), opEcho, nil)
	if !errors.Is(err, ipc.ErrRefused) || !errors.Is(err, os.ErrPermission) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("a stranger's call says %v", err)
	}
	if e := <-refused; e.Kind != ipc.EventRefusedPeer || e.Peer != os.Getpid() {
		t.Errorf("event %+v", e)
	}
	client, server := ipctest.Pair(t)
	defer server.Close()
	if _, err := ipc.NewClient(client, &ipc.ClientOptions{Allow: func(ipc.Peer) bool { return false }}); !errors.Is(err, ipc.ErrRefused) {
		t.Errorf("a client of a strange server says %v", err)
	}
	if b, err := io.ReadAll(server); len(b) > 0 || err != nil {
		t.Errorf("the strange server was told %q, %v", b, err)
	}
}

// TestEndBeforeHello ends a server that has accepted connections and not read from them, and one that
// accepts a connection after its end: both clients know that their calls did not run.
func TestEndBeforeHello(t *testing.T) {
	s := newServer(t, nil)
	early, server := ipctest.Pair(t)
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(server) }() // ends with the server
	for s.Status().Connections == 0 {
		<-time.After(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-served
	late, server := ipctest.Pair(t)
	if err := s.ServeConn(server); !errors.Is(err, ipc.ErrDraining) {
		t.Errorf("after the end ServeConn says %v", err)
	}
	for name, f := range map[string]*os.File{"early": early, "late": late} {
		c, err := ipc.NewClient(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), opEcho, nil); !errors.Is(err, ipc.ErrDraining) || ipc.OutcomeOf(err) != ipc.NotProcessed {
			t.Errorf("the %s client's call says %v, outcome %v", name, err, ipc.OutcomeOf(err))
		}
		c.Close()
	}
}

// late begins to serve with a context that has ended, when clients wait already.
type late struct {
	*ipc.Listener
	before func(*ipc.Listener)
}

func (l *late) Listen() (*ipc.Listener, error) {
	l.before(l.Listener)
	return l.Listener, nil
}

// TestDrainTakesTheQueue has clients that have sent calls and were not yet accepted when the drain
// begins: each is answered or told that its call did not run.
func TestDrainTakesTheQueue(t *testing.T) {
	for range 20 {
		s := newServer(t, nil)
		l, err := ipc.Listen(ipctest.Endpoint(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		var calls []<-chan error
		queue := func(l *ipc.Listener) {
			for range 4 { // as many as there are pending instances of a pipe
				c, err := ipc.DialConn(t.Context(), l.Endpoint(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { c.Close() })
				calls = append(calls, later(c, opEcho, "x"))
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Serve(ended, &late{l, queue}); err != nil {
			t.Error(err)
		}
		for _, call := range calls {
			if err := <-call; err != nil && (!errors.Is(err, ipc.ErrDraining) || ipc.OutcomeOf(err) != ipc.NotProcessed) {
				t.Errorf("a call in the queue says %v, outcome %v", err, ipc.OutcomeOf(err))
			}
		}
	}
}
