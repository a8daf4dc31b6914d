package main

import (
	"os"
	"os/exec"
	"syscall"
)

// passOn gives the command a handle that it does not know of.
func passOn(cmd *exec.Cmd, f *os.File) {
	h := syscall.Handle(f.Fd())
	syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT)
	cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{h}}
}

// halt does nothing: processes are not stopped here.
func halt() {}
