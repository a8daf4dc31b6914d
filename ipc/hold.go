//go:build linux && (amd64 || arm64)

package ipc

import (
	"sync/atomic"
	"syscall"
	"time"
)

// holdFor is how long a read may hold its thread before the goroutine parks. The system counts it in
// ticks, and rounds it up by one.
const holdFor = 4 * time.Millisecond

// holdMost is longer than that can take: two ticks, of 10 ms where there are a hundred a second.
const holdMost = 8 * holdFor

// After a hold to which nothing came so many reads park, and twice as many after the next: answers
// of this server take longer.
const (
	pauseMin = 4
	pauseMax = 1 << 16
)

// holding says that a read of this process holds its thread. Only one may, for threads belong to the
// whole process: many callers would each take one.
var holding atomic.Bool

// holder lets a read wait in the system, on its thread, where an answer is likely to come at once: to
// park the goroutine and have the poller wake it takes three system calls more, an eighth of the time
// of a small call. Neither a deadline nor a close ends such a wait, so it is short.
type holder struct {
	ready  bool // the socket may be waited for, and for how long
	holds  bool // the next read may hold its thread
	pause  int  // reads to come that park
	paused int  // what pause was last
}

// hold says whether it is worth it that the next read holds its thread for a little while; the call
// ends at the given time, zero for never. A call with little time must not miss its end. Where the
// socket cannot be prepared, the read does not hold its thread.
func (w *wire) hold(worth bool, end time.Time) {
	w.holds = worth && !w.pauses() && (end.IsZero() || end.Sub(now()) > holdMost)
	if w.holds && !w.ready {
		w.ready = true
		control(w.f, waitable)
	}
}

// pauses reports whether the next read is one of those that park after holds in vain.
func (h *holder) pauses() bool {
	if h.pause == 0 {
		return false
	}
	h.pause--
	return true
}

// held tells how a hold has ended.
func (h *holder) held(inVain bool) {
	if !inVain {
		h.paused /= 2
		return
	}
	h.paused = min(max(2*h.paused, pauseMin), pauseMax)
	h.pause = h.paused
}

// waitable lets the system wait for fd, which those calls are spared that say so.
func waitable(fd int) error {
	t := syscall.NsecToTimeval(int64(holdFor))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &t); err != nil {
		return err
	}
	return syscall.SetNonblock(fd, false)
}

// waiting returns the flag of the next read. It is 0 if that is to hold its thread; then holding is
// true until the reader ends it.
func (h *holder) waiting() uintptr {
	if h.holds {
		h.holds = false
		if holding.CompareAndSwap(false, true) {
			return 0
		}
	}
	return syscall.MSG_DONTWAIT
}
