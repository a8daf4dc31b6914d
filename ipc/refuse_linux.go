package ipc

import (
	"os"
	"syscall"
)

// refuseNew shuts the socket for reading: the kernel then refuses to connect to it, and keeps the
// queue.
func (l *Listener) refuseNew() error {
	err := control(l.f, func(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_RD) })
	return os.NewSyscallError("shutdown", err)
}
