//go:build !unix && !windows

package main

import "syscall"

const rootFolder = "/"

func detached() *syscall.SysProcAttr { return nil }
