//go:build linux && (amd64 || arm64)

package ipc

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// holdFor is how long a read may hold its thread before the goroutine parks. The system counts it in ticks, and rounds it up by one.
const holdFor = 4 * time.Millisecond

// holding says that a read of this process holds its thread. Only one may: many callers would each take one.
var holding atomic.Bool

// holder lets a read wait in the system, on its thread, where an answer is likely to come soon: to park the goroutine and have the
// poller wake it takes three system calls more, an eighth of the time of a small call. Neither a deadline nor a close ends such a wait,
// so it is short.
type holder struct {
	ready bool // the socket may be waited for, and for how long
	holds bool // the next read may hold its thread
}

// hold says whether the next read may hold its thread for a little while. Where the socket cannot be prepared for that, it does not,
// nor on a single processor: the runtime takes that back from a thread in the system only after a while, and nothing else runs until
// then, such as a server in the same process.
func (w *wire) hold(yes bool) {
	w.holds = yes && runtime.GOMAXPROCS(0) > 1
	if w.holds && !w.ready {
		w.ready = true
		control(w.f, waitable)
	}
}

// waitable lets the system wait for fd, which those calls are spared that say so.
func waitable(fd int) error {
	t := syscall.NsecToTimeval(int64(holdFor))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &t); err != nil {
		return err
	}
	return syscall.SetNonblock(fd, false)
}

// waiting returns the flag of the next read. It is 0 if that is to hold its thread; then holding is true until the reader ends it.
func (h *holder) waiting() uintptr {
	if h.holds {
		h.holds = false
		if holding.CompareAndSwap(false, true) {
			return 0
		}
	}
	return syscall.MSG_DONTWAIT
}
