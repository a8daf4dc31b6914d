package ipc

import (
	"os"
	"syscall"
	"unsafe"
)

// peerOf says who is at the other end of a connected pipe. The file stays in the poller: its
// method Fd would take it out.
func peerOf(f *os.File) (Peer, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var pid uint32
	var failed error
	err = raw.Control(func(h uintptr) { pid, failed = peerPID(h) })
	if err == nil {
		err = failed
	}
	if err != nil {
		return Peer{}, err
	}
	sid, err := userOf(pid)
	if err != nil {
		return Peer{}, err
	}
	own, err := ownSID()
	return Peer{PID: int(pid), UID: -1, SID: sid, SameUser: sid == own}, err
}

func peerPID(pipe uintptr) (pid uint32, err error) {
	var flags uint32
	if err := invoke(getNamedPipeInfo, pipe, uintptr(unsafe.Pointer(&flags)), 0, 0, 0); err != nil {
		return 0, err
	}
	other := pipeServerProcessID
	if flags&pipeServerEnd != 0 {
		other = pipeClientProcessID
	}
	err = invoke(other, pipe, uintptr(unsafe.Pointer(&pid)))
	return pid, err
}

// userOf is the user of a process. Who may not ask is another user than we are.
func userOf(pid uint32) (string, error) {
	h, err := syscall.OpenProcess(queryLimited, false, pid)
	if err == errInvalidParameter { // there is no such process any more
		return "", os.ErrProcessDone
	}
	if err != nil {
		return "", os.NewSyscallError("OpenProcess", err)
	}
	defer syscall.CloseHandle(h)
	var token syscall.Token
	if err := syscall.OpenProcessToken(h, syscall.TOKEN_QUERY, &token); err != nil {
		return "", os.NewSyscallError("OpenProcessToken", err)
	}
	defer token.Close()
	return sidOf(token)
}

func sharesFiles(int) (bool, error) { return true, nil }
