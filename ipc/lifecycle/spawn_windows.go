package lifecycle

import (
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
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

// endRead closes f, whose reader tells read of its end, and returns what that tells. Close alone would wait for a read that
// begins just then: it is interrupted only once it blocks.
func endRead(f *os.File, read <-chan error) error {
	defer f.Close()
	h := windows.Handle(f.Fd())
	for {
		windows.CancelIoEx(h, nil)
		select {
		case told := <-read:
			return told
		case <-time.After(time.Millisecond):
		}
	}
}
