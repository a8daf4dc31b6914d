//go:build unix && long

package main

import (
	"path/filepath"
	"syscall"
	"testing"
)

// A broker that answers nothing any more is replaced in the middle of a session.
func TestBrokerWedges(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a := joinBroker(t, root)
	defer a.Release()
	putBody(t, a, "before", []byte("body"))
	first := a.c.Info()
	if err := syscall.Kill(first.Process.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantBody(t, a, "before", []byte("body"))
	putBody(t, a, "after", []byte("more"))
	if a.c.Info().Instance == first.Instance {
		t.Error("the same broker")
	}
}
