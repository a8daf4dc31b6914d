//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func sysID(fi fs.FileInfo) ID {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return ID{Inode: uint64(st.Ino), Links: uint64(st.Nlink)}
	}
	return ID{}
}

func openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := openBlocking(name, flag, perm)
	if flag&NoAtime != 0 && errors.Is(err, syscall.EPERM) { // only the owner may spare it
		return openBlocking(name, flag&^NoAtime, perm)
	}
	return f, err
}

// openBlocking is [os.OpenFile] without the attempt to have the file polled: four calls of the system, 1 us, that come to
// nothing with files and folders.
func openBlocking(name string, flag int, perm fs.FileMode) (*os.File, error) {
	for {
		fd, err := syscall.Open(name, flag|syscall.O_CLOEXEC, uint32(perm.Perm()))
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != syscall.EINTR {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

func rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// syncDir uses os.File.Sync, which on macOS asks for F_FULLFSYNC: a plain fsync there
// leaves the entries in the drive's own cache.
func syncDir(name string) error {
	d, err := openBlocking(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func noSpace(e syscall.Errno) bool { return e == syscall.ENOSPC || e == syscall.EDQUOT }

func readOnly(e syscall.Errno) bool { return e == syscall.EROFS }
