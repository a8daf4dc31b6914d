package ipc_test

import (
	"errors"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
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
