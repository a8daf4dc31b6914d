package gocacheprog

import (
	"sync/atomic"
	"time"
)

// Two rules keep a slow get from holding up the requests behind it. After one that took
// longer than slowGet, gets have goroutines of their own until one is quick again. And
// when one takes longer than stuckGet, another reader takes the turn.
const (
	slowGet  = 200 * time.Microsecond
	stuckGet = 5 * time.Millisecond

	turnTaken = -1
)

// watch looks after the reader that has the turn. Its timer runs only while requests
// come, a few wake-ups for a whole build.
type watch struct {
	s     *session
	start time.Time
	turn  atomic.Pointer[reader]
	slow  atomic.Bool
	armed atomic.Bool
	timer *time.Timer
}

func (w *watch) init(s *session) {
	w.s, w.start = s, time.Now()
	w.timer = time.AfterFunc(time.Hour, w.check)
	w.timer.Stop()
}

// newReader gives the turn to a new reader.
func (w *watch) newReader() *reader {
	r := &reader{s: w.s, relieved: make(chan struct{})}
	w.turn.Store(r)
	return r
}

// now is never zero.
func (w *watch) now() int64 { return int64(time.Since(w.start)) + 1 }

// note remembers how long a get took.
func (w *watch) note(took time.Duration) {
	if slow := took > slowGet; slow != w.slow.Load() {
		w.slow.Store(slow)
	}
}

// begin says that the reader answers a get itself from now on.
func (r *reader) begin() {
	w := &r.s.watch
	r.since.Store(w.now())
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(stuckGet)
	}
}

// finish reports whether the reader still has the turn. When not, it holds a slot.
func (r *reader) finish() bool {
	since := r.since.Load()
	if since == turnTaken || !r.since.CompareAndSwap(since, 0) {
		<-r.relieved
		return false
	}
	r.s.watch.note(time.Duration(r.s.watch.now() - since))
	return true
}

// check runs on the goroutine of the timer.
func (w *watch) check() {
	r := w.turn.Load()
	since := r.since.Load()
	if since == 0 {
		w.armed.Store(false)
		// A get that began just before has seen the timer armed.
		if r.since.Load() == 0 || !w.armed.CompareAndSwap(false, true) {
			return
		}
	} else if time.Duration(w.now()-since) >= stuckGet {
		w.take(r, since)
	}
	w.timer.Reset(stuckGet)
}

// take gives the turn of r to another reader, unless too much is going on already.
func (w *watch) take(r *reader, since int64) {
	select {
	case r.slot = <-w.s.slots:
	default:
		return
	}
	if !r.since.CompareAndSwap(since, turnTaken) {
		w.s.slots <- r.slot
		return
	}
	w.slow.Store(true)
	w.s.running.Go(w.newReader().read) // ends with input; Serve waits for it
	close(r.relieved)
}

func (w *watch) stop() { w.timer.Stop() }
