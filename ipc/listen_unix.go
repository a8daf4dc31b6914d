//go:build unix

package ipc

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// system is what a listener has of this system.
type system struct {
	f       *os.File
	own     fs.FileInfo // the socket's name as we made it; nil if somebody else did
	take    func(fd int) (conn int, err error)
	refused atomic.Bool // nobody comes any more: a queue that is empty from now on stays so
	closed  atomic.Bool
}

// backlog is how many clients may wait to be accepted; the system may cut it.
const backlog = 4096

// listen binds and listens under a temporary name and only then gives the socket its own, so that
// no client meets a socket that is not ready.
func listen(ep Endpoint, owned bool) (*Listener, error) {
	if err := checkFolder(filepath.Dir(ep.base)); err != nil {
		return nil, err
	}
	if owned {
		removeTemporary(ep)
	}
	temporary := ep.base + ".t" + strconv.FormatUint(uint64(rand.Uint32()|1<<31), 16)
	f, err := bind(temporary)
	if err != nil {
		return nil, listenError(ep, err)
	}
	place := os.Link
	if owned {
		place = os.Rename
	}
	own, err := os.Lstat(temporary)
	if err == nil {
		err = place(temporary, ep.addr)
	}
	os.Remove(temporary)
	if err != nil {
		f.Close()
		return nil, listenError(ep, err)
	}
	return newListener(ep, f, own), nil
}

func newListener(ep Endpoint, f *os.File, own fs.FileInfo) *Listener {
	return &Listener{ep: ep, system: system{f: f, own: own, take: acceptSocket}}
}

// bind makes a listening socket. The permissions are there before it listens.
func bind(path string) (*os.File, error) {
	fd, err := newSocket()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("bind", syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}))
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err == nil {
		err = os.NewSyscallError("listen", syscall.Listen(fd, backlog))
	}
	if err != nil {
		syscall.Close(fd)
		os.Remove(path)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// removeTemporary removes what servers left that were killed while they began to listen.
func removeTemporary(ep Endpoint) {
	dir, name := filepath.Split(ep.base)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // then binding fails too, and says why
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), name+".t") && e.Type()&fs.ModeSocket != 0 {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

func (l *Listener) accept() (*os.File, error) {
	raw, err := l.f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var failed error
	once := func(s uintptr) bool {
		refused := l.refused.Load() // before the look
		fd, failed = l.take(int(s))
		return failed != syscall.EAGAIN || refused
	}
	err = raw.Read(once)
	woken := l.refused.Load() && errors.Is(err, os.ErrDeadlineExceeded)
	if woken && l.own != nil { // who came before the refusal and has not been taken
		err = raw.Control(func(s uintptr) { once(s) })
	}
	switch {
	case err != nil && (l.closed.Load() || woken):
		return nil, fs.ErrClosed
	case err != nil:
		return nil, err
	case failed == nil:
		return connection(fd, l.ep.addr), nil
	case failed == syscall.EAGAIN:
		return nil, fs.ErrClosed // nobody is left and nobody can come
	case failed == syscall.EINTR || failed == syscall.ECONNABORTED:
		return l.accept() // this client is gone
	}
	return nil, os.NewSyscallError("accept", failed)
}

// refuse leaves a socket that is not ours as it is: whoever waits there is for the process that
// gets it next. Accept learns of it by the deadline, which it meets before or in its next wait.
func (l *Listener) refuse() (err error) {
	if l.own != nil {
		err = l.refuseNew()
	}
	l.refused.Store(true)
	return errors.Join(err, l.f.SetReadDeadline(longAgo))
}

func (l *Listener) end() error {
	if l.closed.Swap(true) {
		return nil
	}
	l.removeName()
	return l.f.Close()
}

func (l *Listener) removeName() {
	if now, err := os.Lstat(l.ep.addr); err == nil && l.own != nil && os.SameFile(now, l.own) {
		os.Remove(l.ep.addr)
	}
}
