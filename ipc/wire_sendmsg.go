//go:build linux && (amd64 || arm64)

package ipc

import (
	"io"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// closedOnExec says that descriptors come closed in programs that are started.
const closedOnExec = true

// wire reads and writes an open connection without an allocation. One goroutine may read while
// another writes. What the system calls need is kept here because the raw connection takes
// functions, and a new closure for each call would be garbage.
type wire struct {
	f   *os.File
	raw syscall.RawConn

	send        func(fd uintptr) bool
	out         syscall.Msghdr
	vec         [3]syscall.Iovec
	next, count int // the vectors that are not written
	wait        bool
	sent        int
	sendErr     syscall.Errno

	recv    func(fd uintptr) bool
	in      syscall.Msghdr
	inVec   syscall.Iovec
	got     int
	recvErr syscall.Errno
	oob     [64]byte
	holder
	rights
	dropping sync.Mutex // held by a read that has the system drop descriptors
}

func (w *wire) open(f *os.File) (err error) {
	w.f = f
	w.send, w.recv = w.trySend, w.tryReceive
	if w.raw, err = f.SyscallConn(); err != nil {
		return err
	}
	return f.SetReadDeadline(time.Time{}) // fails for a file that is not in the poller: nothing would wait for it
}

// read reads at least one byte into p.
func (w *wire) read(p []byte) (int, error) {
	w.inVec.Base = &p[0]
	w.inVec.SetLen(len(p))
	w.in = syscall.Msghdr{Iov: &w.inVec, Iovlen: 1}
	err := w.raw.Read(w.recv)
	w.inVec.Base = nil
	switch {
	case err != nil:
		return 0, err
	case w.recvErr != 0:
		return 0, os.NewSyscallError("recv", w.recvErr)
	case w.got == 0:
		return 0, io.EOF
	case w.in.Controllen > 0:
		err = w.keep(w.oob[:w.in.Controllen], w.in.Flags&syscall.MSG_CTRUNC != 0)
	}
	return w.got, err
}

func (w *wire) tryReceive(fd uintptr) bool {
	flag := w.waiting()
	if flag == 0 {
		defer holding.Store(false)
	}
	for {
		n, errno := w.receiveSome(fd, flag)
		if errno == syscall.EINTR {
			flag = syscall.MSG_DONTWAIT // the system would count anew, for each of many signals
			continue
		}
		if flag == 0 {
			w.held(errno == syscall.EAGAIN)
		}
		w.got, w.recvErr = int(n), errno
		return errno != syscall.EAGAIN
	}
}

// receiveSome reads bytes alone as long as no descriptor is expected: recvfrom takes two thirds of the time of recvmsg, and
// five sixths of that of read.
func (w *wire) receiveSome(fd, flag uintptr) (uintptr, syscall.Errno) {
	if w.drop() {
		defer w.dropping.Unlock()
		n, _, errno := syscall.Syscall6(syscall.SYS_RECVFROM, fd,
			uintptr(unsafe.Pointer(w.inVec.Base)), uintptr(w.inVec.Len), flag, 0, 0)
		return n, errno
	}
	w.in.Control = &w.oob[0]
	w.in.SetControllen(len(w.oob))
	n, _, errno := syscall.Syscall(syscall.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&w.in)), syscall.MSG_CMSG_CLOEXEC|flag)
	return n, errno
}

// drop reports whether no descriptor is expected. If so, it also keeps expect from returning until the caller, who is to read
// at once, unlocks dropping.
func (w *wire) drop() bool {
	if w.expected.Load() {
		return false
	}
	w.dropping.Lock()
	if w.expected.Load() {
		w.dropping.Unlock()
		return false
	}
	return true
}

// expect has descriptors kept from now on: no read drops one once it has returned.
func (w *wire) expect() {
	if w.expected.Load() {
		return
	}
	w.dropping.Lock() // a read that has seen that none was expected may be on its way into the system
	defer w.dropping.Unlock()
	w.expected.Store(true)
}

// write writes a, b and c, each may be empty. Unless wait is set it writes only what the system
// takes at once, which may be nothing.
func (w *wire) write(wait bool, a, b, c []byte) (int, error) {
	w.next, w.count, w.sent, w.wait, w.sendErr = 0, 0, 0, wait, 0
	w.vector(a)
	w.vector(b)
	w.vector(c)
	err := w.raw.Write(w.send)
	w.vec = [3]syscall.Iovec{} // the buffers are the caller's again
	if w.sendErr != 0 {
		err = os.NewSyscallError("send", w.sendErr)
	}
	return w.sent, err
}

func (w *wire) vector(p []byte) {
	if len(p) > 0 {
		w.vec[w.count].Base = &p[0]
		w.vec[w.count].SetLen(len(p))
		w.count++
	}
}

func (w *wire) trySend(fd uintptr) bool {
	for w.next < w.count {
		n, errno := w.sendSome(fd)
		switch errno {
		case 0:
			w.sent += int(n)
			w.rights.message = nil
			w.advance(uint64(n))
		case syscall.EINTR:
		case syscall.EAGAIN:
			return !w.wait
		default:
			w.sendErr = errno
			return true
		}
	}
	return true
}

// sendFlags are those of every write: none holds its thread.
const sendFlags = syscall.MSG_NOSIGNAL | syscall.MSG_DONTWAIT

// sendSome lets the descriptor travel with the next byte. Without one, a single buffer takes a shorter way.
func (w *wire) sendSome(fd uintptr) (uintptr, syscall.Errno) {
	vec := &w.vec[w.next]
	if len(w.rights.message) == 0 && w.next == w.count-1 {
		n, _, errno := syscall.Syscall6(syscall.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(vec.Base)), uintptr(vec.Len), sendFlags, 0, 0)
		return n, errno
	}
	w.out = syscall.Msghdr{Iov: vec, Iovlen: uint64(w.count - w.next)}
	if len(w.rights.message) > 0 {
		w.out.Control = &w.rights.message[0]
		w.out.SetControllen(len(w.rights.message))
	}
	n, _, errno := syscall.Syscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&w.out)), sendFlags)
	return n, errno
}

// advance takes n written bytes from the front of the vectors.
func (w *wire) advance(n uint64) {
	for w.next < w.count && n >= w.vec[w.next].Len {
		n -= w.vec[w.next].Len
		w.next++
	}
	if w.next < w.count {
		v := &w.vec[w.next]
		v.Base = (*byte)(unsafe.Add(unsafe.Pointer(v.Base), n))
		v.Len -= n
	}
}
