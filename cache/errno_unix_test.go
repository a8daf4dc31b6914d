//go:build !windows

package cache

import "syscall"

const (
	errIO   = syscall.EIO
	errFull = syscall.ENOSPC
)
