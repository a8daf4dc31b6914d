//go:build unix

package main

import "syscall"

// rootFolder can always stay: a server in another folder would keep it from being unmounted.
const rootFolder = "/"

// detached gives the server a session of its own: no terminal, and no Ctrl-C.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
