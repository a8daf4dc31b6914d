//go:build unix

package lifecycle_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// starve leaves this process few descriptors, or none, until feed is called.
func starve(t *testing.T, left uintptr) (feed func()) {
	t.Helper()
	runtime.GC() // what earlier tests have dropped is closed now, and leaves no room later
	for range 1000 {
		runtime.Gosched()
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	next, err := os.Open(os.DevNull) // takes the lowest that is free
	if err != nil {
		t.Fatal(err)
	}
	few := before
	set(&few.Cur, next.Fd()+left)
	next.Close()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}
}

// set sets a number whose type differs from system to system.
func set[T int64 | uint64](to *T, n uintptr) { *to = T(n) }

// TestEnsureShort has a client without a free descriptor: it learns nothing about the server, and
// leaves it alone.
func TestEnsureShort(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	o := h.options()
	feed := starve(t, 0)
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	feed()
	if !errors.Is(err, syscall.EMFILE) || len(h.noted(lifecycle.EventUnanswered)) > 0 {
		t.Errorf("without a descriptor: %v, %d looks held against the server", err,
			len(h.noted(lifecycle.EventUnanswered)))
	}
	h.ensure(o)
}

// TestSpawnShort has no descriptor to start a server with: nothing is remembered against it.
func TestSpawnShort(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Spawn = func(context.Context, lifecycle.SpawnInfo) (<-chan error, error) {
		return nil, os.NewSyscallError("fork", syscall.EMFILE)
	}
	if _, err := lifecycle.Ensure(t.Context(), h.ep, o); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("without a descriptor: %v", err)
	}
	h.ensure(h.options())
}

// TestStopShort has one descriptor, which the lock takes that keeps others from starting a server:
// that nobody runs is not what Stop makes of it.
func TestStopShort(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	feed := starve(t, 1)
	outcome, err := lifecycle.Stop(t.Context(), h.ep, &lifecycle.StopOptions{ProbeTimeout: 20 * time.Millisecond})
	feed()
	if outcome == lifecycle.NotRunning || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("stop of a server that runs, without a descriptor: %v, %v", outcome, err)
	}
}

// TestClaimShort claims with its last descriptor, so that on some systems it cannot find out when this process began: the
// claim says at least which one it is.
func TestClaimShort(t *testing.T) {
	ep, _ := newEndpoint(t)
	feed := starve(t, 1)
	h, err := lifecycle.Claim(t.Context(), ep, nil)
	feed()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	wantHeld(t, ep, os.Getpid(), "")
}
