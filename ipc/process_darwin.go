package ipc

import (
	"os"

	"golang.org/x/sys/unix"
)

// startOf is the wall clock at the process's start in microseconds, which the kernel notes once.
func startOf(pid int) (uint64, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	const zombie = 5
	if err != nil || int(info.Proc.P_pid) != pid || info.Proc.P_stat == zombie {
		return 0, os.ErrProcessDone
	}
	at := info.Proc.P_starttime
	return uint64(at.Sec)*1e6 + uint64(at.Usec), nil
}
