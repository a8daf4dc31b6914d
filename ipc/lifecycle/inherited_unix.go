//go:build unix

package lifecycle

import (
	"os"
	"strconv"
	"syscall"
)

// CloseInherited closes all descriptors but the first three that this process was started with and
// that its starter did not mean for it, such as those of a jobserver or of somebody's pipe: who
// reads that pipe would wait for this process. A server calls it first thing, after [OpenReadiness]
// and [ipc.Activated]. What this process has opened itself is safe: Go marks it close-on-exec, and
// such descriptors are left alone.
func CloseInherited() error {
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		return err
	}
	for _, n := range names {
		fd, err := strconv.Atoi(n.Name())
		if err != nil || fd < 3 {
			continue
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
			syscall.Close(fd)
		}
	}
	return nil
}
