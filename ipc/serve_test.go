package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestListenerClosed closes the listener of a server while a call runs: that is finished, and with
// it the server, which says that it drains.
func TestListenerClosed(t *testing.T) {
	draining := make(chan bool, 1)
	s, began, release := holdingServer(t, &ipc.ServerOptions{Events: func(e ipc.Event) {
		if e.Kind == ipc.EventDraining {
			draining <- true
		}
	}})
	ep, l, served := serving(t, s)
	c, err := ipc.Dial(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	call := later(c, opHold, "x")
	<-began
	l.Close()
	select {
	case <-draining:
	case <-time.After(10 * time.Second):
		t.Error("the server does not drain")
	}
	close(release)
	if err := errors.Join(<-call, <-served); err != nil {
		t.Error(err)
	}
}

// TestServeWhileDraining begins to serve when the server drains: whoever hears that the listener refuses may ask the
// server who it is.
func TestServeWhileDraining(t *testing.T) {
	s, began, release := holdingServer(t, nil)
	c := ipctest.Client(t, s, nil)
	call, drained := later(c, opHold, "x"), make(chan error, 1)
	<-began
	go func() { drained <- s.Drain(context.Background(), "test") }() // ends with the call
	for s.Info().State != ipc.Draining {
		runtime.Gosched()
	}
	refused := make(chan struct{})
	l, err := ipc.Listen(ipctest.Endpoint(t), &ipc.ListenOptions{OnRefuse: func() {
		defer close(refused)
		asked := make(chan ipc.ServerInfo, 1)
		go func() { asked <- s.Info() }() // ends below, or with Serve
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			t.Error("the server does not say who it is")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }() // ends with the call
	<-refused
	close(release)
	if err := errors.Join(<-call, <-drained, <-served); err != nil {
		t.Error(err)
	}
}

// TestServeSleeps closes a server whose handler ignores that: until it returns Serve waits for it, and does not ask again
// and again.
func TestServeSleeps(t *testing.T) {
	s, began, release := newServer(t, nil), make(chan struct{}), make(chan struct{})
	s.Handle(opHold, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		close(began)
		<-release
		return nil, nil
	})
	ep, _, served := serving(t, s)
	c, err := ipc.Dial(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	call, closed := later(c, opHold, ""), make(chan error, 1)
	<-began
	go func() { closed <- s.Close() }()                       // waits a second at most
	if err := s.Drain(context.Background(), ""); err != nil { // returns when the connections have ended
		t.Error(err)
	}
	stacks := make([]byte, 1<<20)
	for start := time.Now(); ; runtime.Gosched() {
		all := stacks[:runtime.Stack(stacks, true)]
		head := all[:max(0, bytes.Index(all, []byte("(*Server).finish(")))]
		if head = head[bytes.LastIndex(head, []byte("goroutine "))+1:]; bytes.Contains(head, []byte(" [select]")) {
			break
		}
		if time.Since(start) > 5*time.Second {
			t.Errorf("Serve does not sleep: %s", head)
			break
		}
	}
	close(release)
	if err := errors.Join(<-closed, <-served); err != nil {
		t.Error(err)
	}
	<-call
}
