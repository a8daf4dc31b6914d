//go:build unix

package ipc

import (
	"os"
	"syscall"
)

// bufferSize is asked for in both directions. The system may give less and nothing depends on
// it.
const bufferSize = 1 << 20

// control runs fn on the descriptor of f, which stays in the poller.
func control(f *os.File, fn func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// connection makes a file of a connected, non-blocking socket.
func connection(fd int, name string) *os.File {
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, bufferSize)
	return os.NewFile(uintptr(fd), name)
}
