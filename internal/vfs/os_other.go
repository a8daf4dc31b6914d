//go:build !unix && !windows

package vfs

import (
	"io/fs"
	"os"
	"syscall"
)

func sysID(fs.FileInfo) ID { return ID{} }

func openFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}

func rename(oldname, newname string) error { return os.Rename(oldname, newname) }

func syncDir(name string) error {
	_, err := os.Stat(name)
	return err
}

func noSpace(e syscall.Errno) bool { return e == syscall.ENOSPC }

func readOnly(e syscall.Errno) bool { return e == syscall.EROFS }
