//go:build zig && unix

package webui_test

import (
	"os/exec"
	"syscall"
)

// stopProcesses makes the end of a command that of the processes that it has started, too.
func stopProcesses(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
