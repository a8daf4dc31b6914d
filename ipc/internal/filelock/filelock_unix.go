//go:build unix && !solaris && !aix

package filelock

import (
	"os"
	"syscall"
)

func try(f *os.File, alone bool) error {
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = raw.Control(func(fd uintptr) {
		for {
			locked = syscall.Flock(int(fd), how|syscall.LOCK_NB)
			if locked != syscall.EINTR {
				return
			}
		}
	})
	switch {
	case err != nil:
		return err
	case locked == syscall.EWOULDBLOCK:
		return ErrHeld
	}
	return os.NewSyscallError("flock", locked)
}
