package lifecycle

import (
	"os"
	"strconv"
	"syscall"
)

// Inherit adds the readiness handle to what a process is started with and returns the text
// to pass to its [OpenReadiness]. For package os/exec: attr.Sys is the SysProcAttr of a command.
func (s *SpawnInfo) Inherit(attr *os.ProcAttr) string {
	if attr.Sys == nil {
		attr.Sys = new(syscall.SysProcAttr)
	}
	h := syscall.Handle(s.ready.Fd())
	syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT)
	attr.Sys.AdditionalInheritedHandles = append(attr.Sys.AdditionalInheritedHandles, h)
	return strconv.FormatUint(uint64(h), 10)
}

// keepHere keeps a handle from being passed on.
func keepHere(h uintptr) error {
	err := syscall.SetHandleInformation(syscall.Handle(h), syscall.HANDLE_FLAG_INHERIT, 0)
	return os.NewSyscallError("SetHandleInformation", err)
}
