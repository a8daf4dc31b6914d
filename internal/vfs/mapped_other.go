//go:build !((linux || darwin) && (amd64 || arm64))

package vfs

// Mapped returns f. A file that is mapped cannot be removed on Windows, and not all systems show a mapping what is
// written later.
func Mapped(f File, _ int64) File { return f }

// Forget does nothing where nothing is mapped.
func Forget(File) {}
