//go:build linux && (amd64 || arm64)

package ipc

import (
	"os"
	"time"
)

const (
	HoldFor  = holdFor
	PauseMin = pauseMin
)

// Apart has c, which has made no call yet, take its server for another process.
func Apart(c *Conn) { c.c.current.Load().peer.PID = -1 }

// Reader is the end of a connection that reads.
type Reader struct{ wire wire }

// NewReader makes one of f.
func NewReader(f *os.File) (*Reader, error) {
	r := new(Reader)
	return r, r.wire.open(f)
}

// Read reads once.
func (r *Reader) Read(p []byte) (int, error) { return r.wire.read(p) }

// Hold has the next read hold its thread.
func (r *Reader) Hold() { r.wire.hold(true, time.Time{}) }

// Holds reports whether a read may hold its thread now, and has none do so.
func (r *Reader) Holds() bool {
	r.wire.hold(true, time.Time{})
	defer r.wire.hold(false, time.Time{})
	return r.wire.holds
}

// Held tells how a hold has ended.
func (r *Reader) Held(inVain bool) { r.wire.held(inVain) }

// Write writes p in so many parts, as much of it as the system takes at once.
func (r *Reader) Write(p []byte, parts int) (int, error) {
	if parts == 1 {
		return r.wire.write(false, p, nil, nil)
	}
	return r.wire.write(false, p[:1], p[1:], nil)
}

// Expect is what comes before a request for a descriptor.
func (r *Reader) Expect() { r.wire.expect() }

// Drops reports whether a read is under way that has descriptors dropped.
func (r *Reader) Drops() bool {
	if r.wire.dropping.TryLock() {
		r.wire.dropping.Unlock()
		return false
	}
	return true
}

// Files returns how many descriptors have come, and closes them.
func (r *Reader) Files() int {
	defer r.wire.closeFiles()
	return len(r.wire.files)
}
