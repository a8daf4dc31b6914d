//go:build unix && long

package main

import (
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

// A broker that answers nothing any more is replaced in the middle of a session.
func TestBrokerWedges(t *testing.T) {
	root := filepath.Join(t.TempDir(), "store")
	a := joinBroker(t, root)
	defer a.Release()
	putBody(t, a, "before", []byte("body"))
	first := a.c.Info()
	testkit.StopProcess(t, first.Process.PID)
	wantBody(t, a, "before", []byte("body"))
	putBody(t, a, "after", []byte("more"))
	if a.c.Info().Instance == first.Instance {
		t.Error("the same broker")
	}
}
