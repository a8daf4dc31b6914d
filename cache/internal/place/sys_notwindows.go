//go:build !windows

package place

import (
	"errors"
	"io/fs"
	"os"

	"github.com/larderbuild/larder/internal/vfs"
)

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
