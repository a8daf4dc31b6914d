package ipc_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// TestQueueFull holds that a server whose queue is full is one that listens, and how long a client waits
// for room. Other systems do not tell it from nobody.
func TestQueueFull(t *testing.T) {
	ep := newEndpoint(t, "a")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: ep.String()}), syscall.Listen(fd, 0))
	if err != nil {
		t.Fatal(err)
	}
	dial(t, ep) // and nobody accepts it
	if !ep.Listening() {
		t.Error("nobody listens")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f, err := ep.Dial(ctx)
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ipc.ErrNotRunning) {
		t.Errorf("dial: %v, %v", f, err)
	}
}
