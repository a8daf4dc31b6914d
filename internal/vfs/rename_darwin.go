package vfs

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func renameNew(oldname, newname string) error {
	err := unix.RenamexNp(oldname, newname, unix.RENAME_EXCL)
	if err == syscall.ENOTSUP { // some file systems
		return errors.ErrUnsupported
	}
	return err
}
