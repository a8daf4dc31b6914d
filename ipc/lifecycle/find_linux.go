package lifecycle

import (
	"io/fs"
	"syscall"
)

// fileName completes the name of a program.
func fileName(name string) string { return name }

// executable asks the system, which knows the user, lists of permissions and mounts without programs.
func executable(path string, _ fs.FileInfo) bool {
	const (
		here      = -0x64 // AT_FDCWD
		execute   = 1     // X_OK
		effective = 0x200 // AT_EACCESS: for the user as whom this process acts
	)
	return syscall.Faccessat(here, path, execute, effective) == nil
}
