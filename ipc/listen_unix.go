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
	"sync"
	"sync/atomic"
	"syscall"
)

// Listener takes connections at an endpoint. It is safe for concurrent use.
type Listener struct {
	ep      Endpoint
	f       *os.File
	own     fs.FileInfo // the socket's name as we made it; nil if somebody else did
	refused atomic.Bool
	ended   func() error
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
	l := &Listener{ep: ep, f: f, own: own}
	l.ended = sync.OnceValue(l.end)
	return l
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

// Accept waits for the next client. The file is non-blocking, takes deadlines, and programs that
// are started do not get it. After [Listener.Refuse] Accept returns the clients that were
// waiting, and then, as after [Listener.Close], an [fs.ErrClosed].
func (l *Listener) Accept() (*os.File, error) {
	raw, err := l.f.SyscallConn()
	if err != nil {
		return nil, listenError(l.ep, err)
	}
	fd := -1
	var failed error
	accept := func(s uintptr) bool {
		fd, failed = acceptSocket(int(s))
		return failed != syscall.EAGAIN && failed != syscall.EINTR && failed != syscall.ECONNABORTED
	}
	if err = raw.Read(accept); l.refused.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		err = raw.Control(func(s uintptr) { accept(s) })
	}
	switch {
	case err != nil:
		return nil, listenError(l.ep, err)
	case failed == nil:
		return connection(fd, l.ep.addr), nil
	case l.refused.Load() && (failed == syscall.EINVAL || failed == syscall.EAGAIN):
		return nil, listenError(l.ep, fs.ErrClosed)
	}
	return nil, listenError(l.ep, os.NewSyscallError("accept", failed))
}

// Refuse lets no further client connect. Those who wait already are still handed out by
// [Listener.Accept].
func (l *Listener) Refuse() error {
	l.refused.Store(true)
	return l.refuseNew()
}

// Close ends the listener and every call of [Listener.Accept], and removes its name unless the
// name has come to be somebody else's.
func (l *Listener) Close() error { return l.ended() }

func (l *Listener) end() error {
	l.removeName()
	return l.f.Close()
}

func (l *Listener) removeName() {
	if now, err := os.Lstat(l.ep.addr); err == nil && l.own != nil && os.SameFile(now, l.own) {
		os.Remove(l.ep.addr)
	}
}
