package filelock

import (
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

const (
	failImmediately = 1
	exclusive       = 2
	lockViolation   = syscall.Errno(33)
)

// try locks one byte far behind anything written: a locked byte cannot be read by others.
func try(f *os.File, alone bool) error {
	flags := uintptr(failImmediately)
	if alone {
		flags |= exclusive
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = raw.Control(func(fd uintptr) {
		at := &syscall.Overlapped{OffsetHigh: 1}
		ok, _, errno := lockFileEx.Call(fd, flags, 0, 1, 0, uintptr(unsafe.Pointer(at)))
		if ok == 0 {
			locked = errno
		}
	})
	switch {
	case err != nil:
		return err
	case locked == lockViolation || locked == syscall.ERROR_IO_PENDING:
		return ErrHeld
	}
	return os.NewSyscallError("LockFileEx", locked)
}
