//go:build unix && !linux

package ipc

import "syscall"

// newSocket makes a local stream socket, non-blocking and closed in programs that are started.
func newSocket() (int, error) {
	return private(func() (int, error) {
		return syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	})
}

func acceptSocket(fd int) (int, error) {
	return private(func() (int, error) {
		conn, _, err := syscall.Accept(fd)
		return conn, err
	})
}

// private keeps programs from being started between the socket's birth and its marks. Accept
// does not wait in here: the listening socket is non-blocking.
func private(open func() (int, error)) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := open()
	if err != nil {
		return -1, err
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}
