package ipc_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// TestProcessUnknown has no descriptor to look at a process with: that does not make it dead.
func TestProcessUnknown(t *testing.T) {
	own, err := ipc.ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, err = ipc.ProcessOf(own.PID)
	alive := own.Alive()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EMFILE) || !alive {
		t.Errorf("without a descriptor: %v, alive %v", err, alive)
	}
}
