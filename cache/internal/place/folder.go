package place

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// folder is one open folder of a destination. Names in it are single elements, so nothing that
// happens to the path above it can redirect them.
type folder struct {
	dir   string // slash path below the destination
	root  *os.Root
	self  *os.File // the same folder, for calls that take a descriptor
	vol   volume
	owned bool // root is ours to close
}

// openFolder opens dir, which must be there.
func (k kernel) openFolder(root *os.Root, dir string) (*folder, error) {
	f := &folder{dir: dir, root: root}
	if dir != "." {
		sub, err := root.OpenRoot(filepath.FromSlash(dir))
		if err != nil {
			return nil, err
		}
		f.root, f.owned = sub, true
	}
	self, err := f.root.Open(".")
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.self, f.vol = self, k.volume(self)
	return f, nil
}

// create makes a file that was not there, readable and writable by its owner alone.
func (f *folder) create(name string) (*os.File, error) {
	return f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// refuse fails when name is a folder, which a rename would not replace.
func (f *folder) refuse(name string) error {
	fi, err := f.root.Lstat(name)
	if err == nil && fi.IsDir() {
		return errIsFolder
	}
	return nil
}

var errIsFolder = errors.New("destination is a folder")

func (f *folder) close() error {
	var err error
	if f.self != nil {
		err = f.self.Close()
	}
	if f.owned {
		err = errors.Join(err, f.root.Close())
	}
	return err
}

// makeFolders makes what is missing of dir and returns the new ones, outermost first, also when it
// fails half-way.
func makeFolders(root *os.Root, dir string) (made []string, err error) {
	for at := 0; at < len(dir); {
		end := strings.IndexByte(dir[at:], '/')
		if end < 0 {
			end = len(dir) - at
		}
		at += end
		err := root.Mkdir(filepath.FromSlash(dir[:at]), 0o755)
		switch {
		case err == nil:
			made = append(made, dir[:at])
		case !errors.Is(err, fs.ErrExist):
			return made, err
		}
		at++ // the slash
	}
	return made, nil
}

// removeFolders takes back what makeFolders made, innermost first. One that somebody else uses by
// now stays.
func removeFolders(root *os.Root, made []string) error {
	var errs []error
	for i := len(made) - 1; i >= 0; i-- {
		name := filepath.FromSlash(made[i])
		if fi, err := root.Lstat(name); err != nil || !fi.IsDir() {
			continue
		}
		err := root.Remove(name)
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// throughLink says whether a folder on the way to dir is not a plain folder.
func throughLink(root *os.Root, dir string) (bool, error) {
	for ; dir != "."; dir = path.Dir(dir) {
		fi, err := root.Lstat(filepath.FromSlash(dir))
		if err != nil {
			return false, err
		}
		if !fi.IsDir() {
			return true, nil
		}
	}
	return false, nil
}
