package frame

import (
	"io/fs"
	"os"
	"path/filepath"
)

// RemoveAll removes dir with read-only folders in it, such as a copy of a module has.
// What cannot be removed stays.
func RemoveAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	os.RemoveAll(dir)
}
