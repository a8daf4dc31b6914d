package ipc

import "syscall"

const socketFlags = syscall.SOCK_CLOEXEC | syscall.SOCK_NONBLOCK

// newSocket makes a local stream socket, non-blocking and closed in programs that are started.
func newSocket() (int, error) {
	return syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|socketFlags, 0)
}

func acceptSocket(fd int) (int, error) {
	conn, _, err := syscall.Accept4(fd, socketFlags)
	return conn, err
}
