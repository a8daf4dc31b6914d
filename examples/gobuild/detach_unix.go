//go:build unix

package main

import "syscall"

// rootFolder can always stay: a broker in another folder would keep it from being removed.
const rootFolder = "/"

// detached gives the broker a session of its own: no terminal, and no Ctrl-C.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
