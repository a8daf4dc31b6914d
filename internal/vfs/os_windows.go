package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// sysID is zero: the identity would take an open handle for each file asked about.
func sysID(fs.FileInfo) ID { return ID{} }

// openFile waits for those who hold a file for a moment without sharing it, as the system's own rename and
// remove do.
func openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	for wait := time.Millisecond; ; wait *= 2 {
		f, err := os.OpenFile(name, flag, perm)
		if wait > 64*time.Millisecond || !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return f, err
		}
		time.Sleep(wait)
	}
}

// rename replaces a read-only file too, as it does elsewhere; the system call refuses that.
func rename(oldname, newname string) error {
	err := os.Rename(oldname, newname)
	if !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return err
	}
	fi, serr := os.Lstat(newname)
	if serr != nil || !fi.Mode().IsRegular() || fi.Mode().Perm()&0o200 != 0 {
		return err
	}
	if os.Chmod(newname, 0o666) != nil {
		return err
	}
	err = os.Rename(oldname, newname)
	if err != nil { // the target stays, and stays read-only
		err = errors.Join(err, os.Chmod(newname, fi.Mode()))
	}
	return err
}

// syncDir does nothing: NTFS logs renames in order, and flushing any file flushes the log.
func syncDir(name string) error {
	fi, err := os.Stat(name)
	if err == nil && !fi.IsDir() {
		err = &fs.PathError{Op: "sync", Path: name, Err: syscall.ENOTDIR}
	}
	return err
}

func free(name string) (int64, error) {
	p, err := windows.UTF16PtrFromString(name)
	var n uint64
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(p, &n, nil, nil)
	}
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return product(n, 1), nil
}

func noSpace(e syscall.Errno) bool {
	switch e {
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL,
		windows.ERROR_DISK_QUOTA_EXCEEDED, syscall.ENOSPC: // the last one is Mem's
		return true
	}
	return false
}

func readOnly(e syscall.Errno) bool {
	return e == windows.ERROR_WRITE_PROTECT || e == syscall.EROFS
}
