package cache

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// A read-only file cannot be opened for FlushFileBuffers, nor deleted, so payload files stay writable here.
const (
	payloadMode = 0o666
	syncFlag    = os.O_RDWR
)
