//go:build unix

package ipc

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Activated returns the sockets that a service manager has opened for this process by systemd's
// convention: descriptors from 3 on, described by the variables LISTEN_PID, LISTEN_FDS and
// LISTEN_FDNAMES. The host says what these hold, mostly with [os.Getenv]. Without them, or if they
// are meant for another process, there are none. Each file's name is the one in
// LISTEN_FDNAMES. Call it once, and early: the descriptors of this process are taken as they
// are.
func Activated(getenv func(string) string) ([]*os.File, error) {
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil, nil
	}
	const first, most = 3, 1024
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > most {
		return nil, &os.PathError{Op: "ipc: read", Path: "LISTEN_FDS", Err: syscall.EINVAL}
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	var files []*os.File
	for i := range n {
		syscall.CloseOnExec(first + i)
		name := "LISTEN_FD_" + strconv.Itoa(first+i)
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		files = append(files, os.NewFile(uintptr(first+i), name))
	}
	return files, nil
}

var errNotListening = errors.New("the inherited file is not a local socket that listens")

// adopt takes an inherited socket over. It works on a duplicate, because f may be of the blocking
// kind for good.
func adopt(ep Endpoint, f *os.File) (*Listener, error) {
	defer f.Close()
	var fd int
	err := control(f, func(old int) (err error) {
		name, err := syscall.Getsockname(old)
		if err != nil {
			return errNotListening
		}
		if _, local := name.(*syscall.SockaddrUnix); !local || !listening(old) {
			return errNotListening
		}
		fd, err = duplicate(old)
		return err
	})
	if err != nil {
		return nil, listenError(ep, err)
	}
	return newListener(ep, os.NewFile(uintptr(fd), ep.addr), nil), nil
}

func listening(fd int) bool {
	yes, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err == nil && yes != 0
}

func duplicate(old int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(old)
	if err != nil {
		return -1, err
	}
	syscall.CloseOnExec(fd)
	return fd, syscall.SetNonblock(fd, true)
}
