//go:build darwin || freebsd

package ipc

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// peerOf says who is at the other end of a connected socket.
func peerOf(f *os.File) (Peer, error) {
	var cred *unix.Xucred
	var pid int
	err := control(f, func(fd int) (err error) {
		if cred, err = unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED); err == nil {
			pid = peerPID(fd, cred)
		}
		return err
	})
	if err != nil {
		return Peer{}, os.NewSyscallError("getsockopt", err)
	}
	uid := int(cred.Uid)
	return Peer{PID: pid, UID: uid, SameUser: uid == os.Geteuid()}, nil
}

// solLocal is the level of a local socket's options.
const solLocal = 0

func sharesFiles(int) (bool, error) { return false, errors.ErrUnsupported }
