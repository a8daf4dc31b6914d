//go:build !windows && !linux

package lifecycle

import "io/fs"

// fileName completes the name of a program.
func fileName(name string) string { return name }

// executable reports whether somebody may execute the file.
func executable(_ string, info fs.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }
