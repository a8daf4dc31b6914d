//go:build unix && !(linux && (amd64 || arm64))

package ipc

import (
	"io"
	"os"
	"syscall"
)

// closedOnExec says that descriptors come closed in programs that are started.
const closedOnExec = false

// wire reads and writes an open connection. One goroutine may read while another writes.
type wire struct {
	f   *os.File
	raw syscall.RawConn
	rights
}

func (w *wire) open(f *os.File) (err error) {
	w.f = f
	w.raw, err = f.SyscallConn()
	return err
}

// read reads at least one byte into p. It looks for descriptors even where none is expected: to a read of bytes alone darwin does
// not tell of them, but opens them all the same, and nobody would close them.
func (w *wire) read(p []byte) (n int, err error) {
	var oob [64]byte
	var oobn, flags int
	var recvErr error
	err = w.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, recvErr = syscall.Recvmsg(int(fd), p, oob[:], 0)
			if recvErr != syscall.EINTR {
				return recvErr != syscall.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case recvErr != nil:
		return 0, os.NewSyscallError("recvmsg", recvErr)
	case n == 0:
		return 0, io.EOF
	case oobn > 0:
		err = w.keep(oob[:oobn], flags&syscall.MSG_CTRUNC != 0)
		if !w.expected.Load() { // asked after the read: who sends a request that brings one has said so before
			w.closeFiles()
		}
	}
	return n, err
}

// expect has descriptors kept from now on.
func (w *wire) expect() { w.expected.Store(true) }

// write writes a, b and c, each may be empty. Unless wait is set it writes only what the system
// takes at once, which may be nothing.
func (w *wire) write(wait bool, a, b, c []byte) (sent int, err error) {
	for _, p := range [...][]byte{a, b, c} {
		n, err := w.writeOne(wait, p)
		sent += n
		if err != nil || n < len(p) {
			return sent, err
		}
	}
	return sent, nil
}

func (w *wire) writeOne(wait bool, p []byte) (sent int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	var sendErr error
	err = w.raw.Write(func(fd uintptr) bool {
		for sent < len(p) {
			n, err := syscall.SendmsgN(int(fd), p[sent:], w.rights.message, nil, 0)
			switch err {
			case nil:
				sent += n
				w.rights.message = nil
			case syscall.EINTR:
			case syscall.EAGAIN:
				return !wait
			default:
				sendErr = err
				return true
			}
		}
		return true
	})
	if sendErr != nil {
		err = os.NewSyscallError("sendmsg", sendErr)
	}
	return sent, err
}
