//go:build unix

// Not for Windows: under wine a pipe that its server closes loses what the client has not read.

package ipc_test

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
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

// TestDrainWritesWhatIsLeft has a client that reads its answers only when the server ends.
func TestDrainWritesWhatIsLeft(t *testing.T) {
	const calls = 1000 // with answers of more bytes than a socket takes
	s := newServer(t, nil)
	f := rawClient(t, s, 2)
	for i := range uint32(calls) {
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opFast, Gen: i, Payload: make([]byte, 500)}))
	}
	for st := s.Status(); st.Calls < calls || st.Running > 0; st = s.Status() {
		<-time.After(time.Millisecond)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background(), "") }() // ends when all is read
	for i := range uint32(calls) {
		if got := next(f); got.Kind != ipc.KindResponse || got.Gen != i {
			t.Fatalf("instead of answer %d comes a frame of kind %d", i, got.Kind)
		}
	}
	if got := next(f); got.Kind != ipc.KindGoAway {
		t.Errorf("at the end comes a frame of kind %d", got.Kind)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestOldConnectionIsClosed has a client go on to another server while a call of the first one runs:
// with that its connection ends.
func TestOldConnectionIsClosed(t *testing.T) {
	s := newServer(t, nil)
	var served sync.WaitGroup
	away, ended := make(chan struct{}), make(chan struct{})
	c := against(t, &ipc.ClientOptions{
		Redial: func(context.Context) (*os.File, error) { return pairTo(t, s, &served), nil },
	}, func(f *os.File) {
		request := next(f)
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "", 1000)}))
		<-away
		f.Write(frame(answer(request, "old")))
		untilClosed(f)
		close(ended)
	})
	old := later(c, 1, "old")
	for ipc.Usable(c) {
		<-time.After(time.Millisecond) // until the go-away is read
	}
	if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
		t.Fatal(err)
	}
	close(away)
	if err := <-old; err != nil {
		t.Errorf("the call on the old connection says %v", err)
	}
	<-ended
	c.Close()
	served.Wait()
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

// TestDrainOutOfDescriptors begins to drain while no descriptor is free for a client that waits: it ends nevertheless,
// and with it that client's call.
func TestDrainOutOfDescriptors(t *testing.T) {
	s := newServer(t, &ipc.ServerOptions{DrainTimeout: 20 * time.Millisecond})
	l := listen(t, ipctest.Endpoint(t))
	ipc.RunShort(l)
	c, err := ipc.DialConn(t.Context(), l.Endpoint(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	call := later(c, opEcho, "x")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ended, l) }()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the drain does not end")
	}
	if err := <-call; err == nil {
		t.Error("the call of a client that was never taken has an answer")
	}
}
