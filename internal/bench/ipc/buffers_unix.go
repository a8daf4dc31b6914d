//go:build unix

package ipc

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// setBuffers asks for buffers of a socket in both directions; 0 asks for nothing.
func setBuffers(f *os.File, size int) error {
	if size == 0 {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, size),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size))
	})
	return errors.Join(err, set)
}
