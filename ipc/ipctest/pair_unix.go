//go:build unix

package ipctest

import (
	"os"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

func pair(testing.TB) (a, b *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
		syscall.SetNonblock(fd, true)
	}
	return os.NewFile(uintptr(fds[0]), "client"), os.NewFile(uintptr(fds[1]), "server"), nil
}

// endpoint lies in a folder with a short name: the path of a socket must be short.
func endpoint(tb testing.TB) (ipc.Endpoint, error) {
	dir, err := os.MkdirTemp("/tmp", "ipc")
	if err != nil {
		return ipc.Endpoint{}, err
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return ipc.NewEndpointIn(dir, "test")
}
