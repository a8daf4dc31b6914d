//go:build unix

package lifecycle_test

import (
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestReadinessStaysHere opens a handle that was inherited, and so would be passed on.
func TestReadinessStaysHere(t *testing.T) {
	fd, err := syscall.Dup(int(os.Stderr.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := lifecycle.OpenReadiness(strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
		t.Errorf("flags %x, %v", flags, errno)
	}
	syscall.Close(fd)
	r.Ready() // fails to tell anybody
}
