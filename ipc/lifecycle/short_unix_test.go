//go:build unix

package lifecycle_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// starve leaves this process no descriptor until feed is called.
func starve(t *testing.T) (feed func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEnsureShort has a client without a free descriptor: it learns nothing about the server, and
// leaves it alone.
func TestEnsureShort(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	o := h.options()
	feed := starve(t)
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
