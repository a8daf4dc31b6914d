package vfs

import "syscall"

const noAtime = syscall.O_NOATIME
