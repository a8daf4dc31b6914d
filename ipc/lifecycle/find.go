package lifecycle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FindOptions say where [FindExecutable] looks, in this order; nil and the zero value look beside
// the running program.
type FindOptions struct {
	// NotBeside skips the folder of the running program, symbolic links of its path resolved.
	NotBeside bool
	// Dirs are folders to look into.
	Dirs []string
	// Path is a list of folders as in the environment's PATH, which the host passes in.
	Path string
}

// FindError says where [FindExecutable] looked and why nothing there would do. It is an
// [fs.ErrNotExist].
type FindError struct {
	Name   string
	Looked []string // "path: why not", in order
}

// Error names the program and every place.
func (e *FindError) Error() string {
	if len(e.Looked) == 0 {
		return "lifecycle: find " + e.Name + ": nowhere to look"
	}
	return "lifecycle: find " + e.Name + ": not at " + strings.Join(e.Looked, "; not at ")
}

// Is reports whether target is [fs.ErrNotExist].
func (e *FindError) Is(target error) bool { return target == fs.ErrNotExist }

// FindExecutable returns the absolute path of a program: a regular file that may be executed. A
// name without an extension gets .exe on Windows. Folders that are not absolute are skipped, and
// with them the current folder, into which anybody may have put a program of that name. The error
// is a [*FindError].
func FindExecutable(name string, o *FindOptions) (string, error) {
	if o == nil {
		o = new(FindOptions)
	}
	if name == "" || name != filepath.Base(name) || name == "." || name == ".." {
		return "", &FindError{Name: name, Looked: []string{name + ": not the plain name of a program"}}
	}
	missing := &FindError{Name: name}
	for _, dir := range o.folders() {
		path := filepath.Join(dir, fileName(name))
		err := errors.New("not an absolute folder")
		if filepath.IsAbs(dir) {
			err = checkExecutable(path)
		}
		if err == nil {
			return path, nil
		}
		missing.Looked = append(missing.Looked, path+": "+err.Error())
	}
	return "", missing
}

func (o *FindOptions) folders() []string {
	var dirs []string
	if !o.NotBeside {
		if self, err := os.Executable(); err == nil {
			if real, err := filepath.EvalSymlinks(self); err == nil {
				self = real
			}
			dirs = append(dirs, filepath.Dir(self))
		}
	}
	dirs = append(dirs, o.Dirs...)
	return append(dirs, filepath.SplitList(o.Path)...)
}

func checkExecutable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			return e.Err
		}
		return err
	}
	switch {
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	case !executable(path, info):
		return errors.New("may not be executed")
	}
	return nil
}
