//go:build unix

package ipc

import (
	"os"
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

// SendRawFile writes a frame with the descriptor of other beside it, as a server does that answers c.
func SendRawFile(c *Client, f RawFrame, other *os.File) error {
	return c.current.Load().out.sendFile(f.header(), f.Payload, other, &deadline{})
}

// ReadRights reads once, and returns how many descriptors came beside the bytes.
func ReadRights(f *os.File, p []byte) (n, files int, err error) {
	var w wire
	w.expect()
	if err := w.open(f); err != nil {
		return 0, 0, err
	}
	n, err = w.read(p)
	files = len(w.files)
	w.closeFiles()
	return n, files, err
}
