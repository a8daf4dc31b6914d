//go:build !windows

package cache

import "syscall"

const (
	errIO   = syscall.EIO
	errFull = syscall.ENOSPC
)

// batteryRuns: the damage battery can be run.
const batteryRuns = true
