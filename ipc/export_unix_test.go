//go:build unix

package ipc

import (
	"sync"
	"syscall"
)

// OnceNobodyWaits calls fn when Accept has found nobody for the first time, before it goes on.
func OnceNobodyWaits(l *Listener, fn func()) {
	fn = sync.OnceFunc(fn)
	l.take = func(fd int) (int, error) {
		conn, err := acceptSocket(fd)
		if err == syscall.EAGAIN {
			fn()
		}
		return conn, err
	}
}

// RunShort has a listener, before it accepts, fail as without a free descriptor.
func RunShort(l *Listener) {
	l.take = func(int) (int, error) { return -1, syscall.EMFILE }
}
