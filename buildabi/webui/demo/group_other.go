//go:build !unix

package main

import "os/exec"

// interruptible leaves a command as it is: killed when its context ends.
func interruptible(*exec.Cmd) {}
