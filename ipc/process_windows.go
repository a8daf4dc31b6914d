package ipc

import (
	"os"
	"syscall"
)

// queryLimited is the right to ask for a process's times and user.
const queryLimited = 0x1000

// startOf is the time at which the process was created.
func startOf(pid int) (uint64, error) {
	h, err := syscall.OpenProcess(queryLimited|syscall.SYNCHRONIZE, false, uint32(pid))
	if err == errInvalidParameter {
		return 0, os.ErrProcessDone
	}
	if err != nil {
		return 0, os.NewSyscallError("OpenProcess", err) // such as for lack of rights: that says nothing about the process
	}
	defer syscall.CloseHandle(h)
	if e, err := syscall.WaitForSingleObject(h, 0); err == nil && e == syscall.WAIT_OBJECT_0 {
		return 0, os.ErrProcessDone // it has ended, and somebody still has a handle of it
	}
	var created, ended, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(h, &created, &ended, &kernel, &user); err != nil {
		return 0, err
	}
	return uint64(created.HighDateTime)<<32 | uint64(created.LowDateTime), nil
}
