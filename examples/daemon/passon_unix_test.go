//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// passOn gives the command a descriptor that it does not know of.
func passOn(cmd *exec.Cmd, f *os.File) { cmd.ExtraFiles = append(cmd.ExtraFiles, f) }

// halt stops this process as a debugger or a closed laptop would.
func halt() { syscall.Kill(os.Getpid(), syscall.SIGSTOP) }
