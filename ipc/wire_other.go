//go:build !unix

package ipc

import (
	"errors"
	"os"
)

// tellsSent says that a write which a deadline ends tells how much of it has left. That to a pipe does not: what the other
// end has read of it counts as not written.
const tellsSent = false

// moreSent reports whether a write that failed with err may have sent more than it tells. One that did not begin has not,
// as to a pipe whose other end was closed before.
func moreSent(err error) bool { return err != nil && err != ErrTimeout && !errors.Is(err, errNoData) }

// joinSize is the most that is copied to make one write of several buffers.
const joinSize = 64 << 10

// wire reads and writes an open connection. One goroutine may read while another writes.
type wire struct {
	f    *os.File
	join []byte
	rights
}

func (w *wire) open(f *os.File) error {
	w.f = f
	return nil
}

// read reads at least one byte into p.
func (w *wire) read(p []byte) (int, error) { return w.f.Read(p) }

// write writes a, b and c, each may be empty, or their beginning. Unless wait is set it writes only
// what the system takes at once, which is nothing: pipes have no such call.
func (w *wire) write(wait bool, a, b, c []byte) (sent int, err error) {
	if !wait {
		return 0, nil
	}
	// There is no vectored write for pipes, and a call costs more than to copy a little.
	if len(a)+len(b)+len(c) <= joinSize {
		w.join = append(append(append(w.join[:0], a...), b...), c...)
		return w.f.Write(w.join)
	}
	// One write at a time, and not a large one: how much of one has left is known when it is over.
	for _, p := range [...][]byte{a, b, c} {
		if len(p) > 0 {
			return w.f.Write(p[:min(len(p), joinSize)])
		}
	}
	return 0, nil
}
