//go:build unix

package ipc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/larderbuild/larder/ipc"
)

// fill listens with the smallest queue and fills that. The descriptors stay open until the process
// ends.
func fill(ep ipc.Endpoint) error {
	address := &unix.SockaddrUnix{Name: ep.String()}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		err = errors.Join(unix.Bind(fd, address), unix.Listen(fd, 0))
	}
	if err != nil {
		return os.NewSyscallError("listen", err)
	}
	for range 16 {
		client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err == nil {
			err = errors.Join(unix.SetNonblock(client, true), unix.Connect(client, address))
		}
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return os.NewSyscallError("connect", err)
		}
	}
	return fmt.Errorf("bench: %s is never full", ep)
}
