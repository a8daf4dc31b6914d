//go:build unix

package ipc

import (
	"os"
	"sync/atomic"
	"syscall"
)

// passesFiles says that descriptors can travel over a connection.
const passesFiles = true

// tellsSent says that a write which a deadline ends tells how much of it has left.
const tellsSent = true

// moreSent reports whether a write that failed with err may have sent more than it tells.
func moreSent(error) bool { return false }

// maxRights bounds the descriptors that have come and that no frame has claimed yet.
const maxRights = 16

// rights are the descriptors that travel beside the bytes of a wire.
type rights struct {
	expected atomic.Bool // what comes may bring some; before, the wire drops them
	message  []byte      // control message that travels with the next byte
	files    []*os.File  // that have come, in their order
}

// attach lets the descriptor of f travel with the first byte of the next write.
func (r *rights) attach(f *os.File) error {
	return control(f, func(fd int) error {
		r.message = syscall.UnixRights(fd)
		return nil
	})
}

// keep keeps the descriptors in a control message for the frames that claim them.
func (r *rights) keep(oob []byte, truncated bool) error {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return errRights
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			continue // of another kind
		}
		for _, fd := range fds {
			if !closedOnExec {
				syscall.CloseOnExec(fd)
			}
			r.files = append(r.files, os.NewFile(uintptr(fd), "ipc file"))
		}
	}
	if truncated || len(r.files) > maxRights {
		r.closeFiles()
		return errRights
	}
	return nil
}

// claim returns the next descriptor that has come, nil if there is none.
func (r *rights) claim() *os.File {
	if len(r.files) == 0 {
		return nil
	}
	f := r.files[0]
	r.files = append(r.files[:0], r.files[1:]...)
	return f
}

// closeFiles closes what nobody has claimed.
func (r *rights) closeFiles() {
	for _, f := range r.files {
		f.Close()
	}
	r.files = r.files[:0]
}
