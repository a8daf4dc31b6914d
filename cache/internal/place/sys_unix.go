//go:build unix

package place

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openNonblock keeps the opening of a pipe from waiting for its other end.
const openNonblock = unix.O_NONBLOCK

// aboutPair lists the answers that would be the same for every file: another device, an operation
// that the file system lacks (in its several spellings), or one that FUSE or a user namespace
// forbids.
func aboutPair(no syscall.Errno) bool {
	switch no {
	case unix.EXDEV, unix.EOPNOTSUPP, unix.ENOSYS, unix.ENOTTY, unix.EINVAL, unix.EPERM:
		return true
	}
	return no == unix.ENOTSUP // the same number as EOPNOTSUPP on some systems
}

// fatal lists the answers that copying would get too.
func fatal(no syscall.Errno) bool {
	switch no {
	case unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS:
		return true
	}
	return false
}

// otherVolume says whether a rename failed because it would have to move bytes.
func otherVolume(err error) bool { return errors.Is(err, unix.EXDEV) }

func linkFile(src *os.File, into *folder, name string) error {
	return withFD(into.self, func(fd int) error {
		return uninterrupted(func() error {
			return unix.Linkat(unix.AT_FDCWD, src.Name(), fd, name, 0)
		})
	})
}

func withFD(f *os.File, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var derr error
	if err := c.Control(func(fd uintptr) { derr = do(int(fd)) }); err != nil {
		return err
	}
	return derr
}

func withFDs(a, b *os.File, do func(a, b int) error) error {
	return withFD(a, func(fa int) error {
		return withFD(b, func(fb int) error { return do(fa, fb) })
	})
}

func uninterrupted(do func() error) error {
	for {
		if err := do(); err != unix.EINTR {
			return err
		}
	}
}
