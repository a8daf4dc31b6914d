//go:build !unix && !windows

package place

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/larderbuild/larder/internal/vfs"
)

const openNonblock = 0

func aboutPair(syscall.Errno) bool { return false }
func fatal(syscall.Errno) bool     { return false }
func otherVolume(error) bool       { return false }

func cloneFile(*os.File, *folder, string) (*os.File, error) {
	return nil, &refusedError{op: cloning, cause: errors.ErrUnsupported}
}

func linkFile(*os.File, *folder, string) error {
	return &refusedError{op: linking, cause: errors.ErrUnsupported}
}

func copyRange(*os.File, *os.File, int64, int) (int, error) { return 0, errors.ErrUnsupported }
func volumeOf(*os.File) volume                              { return volume{} }
func replace(root *os.Root, temp, name string) error        { return root.Rename(temp, name) }

func linkCount(_ vfs.File, fi fs.FileInfo) (uint64, error) { return vfs.IDOf(fi).Links, nil }
func makePrivate(f vfs.File) error                         { return f.Chmod(0o600) }

// seal sets the mode through the descriptor, which no link put in place of the name can redirect.
func seal(dst *os.File, into *folder, temp string, o Output) error {
	err := dst.Chmod(o.Mode.Perm())
	if err = errors.Join(err, dst.Close()); err != nil {
		return err
	}
	return setTime(into, temp, o)
}
