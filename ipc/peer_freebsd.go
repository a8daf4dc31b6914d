package ipc

import "golang.org/x/sys/unix"

// The number of the process is in the record only since FreeBSD 13, and the package for system
// calls does not show it.
func peerPID(int, *unix.Xucred) int { return 0 }
