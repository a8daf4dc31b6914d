package ipc_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestFileShrinks answers with a file that has fewer bytes than it says, as one has that shrinks when it is read. Those
// of the system are so at all times.
func TestFileShrinks(t *testing.T) {
	names, err := filepath.Glob("/sys/kernel/uevent_*")
	if err != nil || len(names) == 0 {
		t.Skip("no such file")
	}
	s := newServer(t, nil)
	s.Handle(50, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		f, err := os.Open(names[0])
		return &ipc.Response{File: f}, err
	})
	b, err := ipctest.Client(t, s, nil).Call(t.Context(), 50, nil)
	if _, ok := errors.AsType[*ipc.RemoteError](err); !ok {
		t.Errorf("the call says %q, %v", b, err)
	}
}
