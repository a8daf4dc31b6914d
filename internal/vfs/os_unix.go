//go:build unix

package vfs

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// IDOf reads the identity that Lstat or Stat returned with fi.
func IDOf(fi fs.FileInfo) ID {
	switch st := fi.Sys().(type) {
	case *syscall.Stat_t:
		return ID{Inode: uint64(st.Ino), Links: uint64(st.Nlink)}
	case ID: // Mem
		return st
	}
	return ID{}
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func free(name string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
