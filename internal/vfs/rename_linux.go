package vfs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func renameNew(oldname, newname string) error {
	err := unix.Renameat2(unix.AT_FDCWD, oldname, unix.AT_FDCWD, newname, unix.RENAME_NOREPLACE)
	if err == syscall.EINVAL || err == syscall.ENOSYS { // some file systems, and old kernels
		return errors.ErrUnsupported
	}
	return err
}
