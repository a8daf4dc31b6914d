package vfs

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

func free(name string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: name, Err: err}
	}
	size := st.Frsize // the unit of Bavail; Bsize is a hint for I/O and larger on some FUSE mounts
	if size == 0 {
		size = st.Bsize
	}
	return product(st.Bavail, uint64(size)), nil
}
