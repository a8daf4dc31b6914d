// Package filelock locks files against other processes and against other opens of the same file.
// The system gives a lock up when the file is closed, however its process ends.
//
// A lock does not keep anybody from reading and writing the file.
package filelock

import (
	"errors"
	"io/fs"
	"os"
)

// ErrHeld says that somebody else has the lock.
var ErrHeld = errors.New("held by somebody else")

// Try locks the whole file for its holder alone, or returns [ErrHeld]. It does not wait. A call of
// [Held] in another process may make it fail for a moment.
func Try(f *os.File) error { return try(f, true) }

// Held reports whether somebody holds the lock of the file. One that is not there, or that this
// user may not open, is not held; one that cannot be opened otherwise, such as for lack of
// descriptors, may well be.
func Held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
	}
	defer f.Close()
	return errors.Is(try(f, false), ErrHeld)
}
