//go:build darwin || dragonfly || freebsd

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
	// Signed on some of these systems: negative while root uses the last reserve.
	return product(uint64(max(0, int64(st.Bavail))), uint64(st.Bsize)), nil
}
