package index

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// home is the folder that an engine was opened in.
type home struct {
	dir  string
	info fs.FileInfo
}

func newHome(dir string) (home, error) {
	info, err := os.Stat(dir)
	return home{dir, info}, err
}

// revive makes the folder again when somebody removed it under the engine, which cannot close without. undo takes
// away what was made; it is nil when the folder is there. When another one is there, nothing may be written into it.
func (h home) revive() (undo func() error, err error) {
	info, err := os.Stat(h.dir)
	if err == nil && !os.SameFile(info, h.info) {
		return nil, damagedf("the folder was replaced by another")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	missing := h.dir
	for parent := filepath.Dir(missing); parent != missing; parent = filepath.Dir(parent) {
		if _, err := os.Stat(parent); err == nil {
			break
		}
		missing = parent
	}
	return func() error { return os.RemoveAll(missing) }, os.MkdirAll(h.dir, 0o777)
}
