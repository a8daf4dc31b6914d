package lifecycle

import (
	"io/fs"
	"path/filepath"
)

// fileName completes the name of a program.
func fileName(name string) string {
	if filepath.Ext(name) == "" {
		return name + ".exe"
	}
	return name
}

// executable is true: here the name decides.
func executable(string, fs.FileInfo) bool { return true }
