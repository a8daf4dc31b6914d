//go:build unix

package ipc

import (
	"os"
	"syscall"
)

// connect connects once. A local socket connects at once or not at all.
func (e Endpoint) connect() (*os.File, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	for {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: e.addr})
		if err != syscall.EINTR {
			break
		}
	}
	if err == nil {
		return connection(fd, e.addr), nil
	}
	syscall.Close(fd)
	switch err {
	case syscall.EAGAIN:
		return nil, errFull
	case syscall.ECONNREFUSED, syscall.ENOENT:
		return nil, errAbsent
	}
	return nil, os.NewSyscallError("connect", err)
}
