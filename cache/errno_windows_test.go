package cache

import "golang.org/x/sys/windows"

const (
	errIO   = windows.ERROR_IO_DEVICE
	errFull = windows.ERROR_DISK_FULL
)

// batteryRuns: the battery puts damaged copies of files in the place of files that a child may still have open, which
// this system refuses.
const batteryRuns = false
