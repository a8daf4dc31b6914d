//go:build !windows

package lifecycle

import "io/fs"

// fileName completes the name of a program.
func fileName(name string) string { return name }

func executable(info fs.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }
