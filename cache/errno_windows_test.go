package cache

import "golang.org/x/sys/windows"

const (
	errIO   = windows.ERROR_IO_DEVICE
	errFull = windows.ERROR_DISK_FULL
)
