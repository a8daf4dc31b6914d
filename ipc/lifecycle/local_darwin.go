package lifecycle

import (
	"errors"
	"os"
	"syscall"
)

var errRemote = errors.New("the folder is on another machine, where locks are not to be trusted")

// checkLocal refuses folders of network file systems.
func checkLocal(dir string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	const local = 0x1000 // MNT_LOCAL
	if fs.Flags&local == 0 {
		return errRemote
	}
	return nil
}
