//go:build !linux && !darwin && !dragonfly && !freebsd && !windows

package vfs

import (
	"errors"
	"io/fs"
)

func free(name string) (int64, error) {
	return 0, &fs.PathError{Op: "statfs", Path: name, Err: errors.ErrUnsupported}
}
