//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// interruptible lets a command and all that it starts be interrupted when its context ends: the go
// command waits for a test that runs, and leaves it to the terminal to end that.
func interruptible(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}
