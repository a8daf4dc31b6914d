package ipc

import (
	"os"
	"strconv"
	"syscall"
)

// peerOf says who is at the other end of a connected socket.
func peerOf(f *os.File) (Peer, error) {
	var cred *syscall.Ucred
	err := control(f, func(fd int) (err error) {
		cred, err = syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		return err
	})
	if err != nil {
		return Peer{}, os.NewSyscallError("getsockopt", err)
	}
	uid := int(cred.Uid)
	return Peer{PID: int(cred.Pid), UID: uid, SameUser: uid == os.Geteuid()}, nil
}

func sharesFiles(pid int) (bool, error) {
	peer := "/proc/" + strconv.Itoa(pid)
	theirs, err := os.Readlink(peer + "/ns/mnt")
	if err != nil {
		return false, err
	}
	ours, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil || ours != theirs {
		return false, err
	}
	root, err := os.Stat(peer + "/root")
	if err != nil {
		return false, err
	}
	own, err := os.Stat("/proc/self/root")
	return err == nil && os.SameFile(root, own), err
}
