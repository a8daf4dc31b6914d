package main

import "syscall"

// rootFolder can always stay: a folder in which a program runs cannot be removed.
const rootFolder = `C:\`

// detached gives the broker no console, and so no Ctrl-C.
func detached() *syscall.SysProcAttr {
	const detachedProcess = 8
	return &syscall.SysProcAttr{
		CreationFlags: detachedProcess | syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true,
	}
}
