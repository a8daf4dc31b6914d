//go:build unix

package place

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/larderbuild/larder/internal/vfs"
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
	return into.at(func(fd int) error {
		return uninterrupted(func() error {
			return unix.Linkat(unix.AT_FDCWD, src.Name(), fd, name, 0)
		})
	})
}

// at runs do with the descriptor of the folder.
func (f *folder) at(do func(fd int) error) error { return withFD(f.self, do) }

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

func replace(root *os.Root, temp, name string) error { return root.Rename(temp, name) }

func linkCount(_ vfs.File, fi fs.FileInfo) (uint64, error) { return vfs.IDOf(fi).Links, nil }

func makePrivate(f vfs.File) error { return f.Chmod(0o600) }

// seal sets the mode through the descriptor, which no link put in place of the name can redirect.
func seal(dst *os.File, into *folder, temp string, o Output) error {
	err := dst.Chmod(o.Mode.Perm())
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return setTime(into, temp, o)
}
