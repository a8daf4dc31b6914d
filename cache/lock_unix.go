//go:build unix && !solaris && !aix

package cache

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock uses flock, which belongs to the open file: a second Store of this process is kept out
// too.
func tryLock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return errHeld
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
