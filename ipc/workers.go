package ipc

import "sync"

// idleWorkers is how many goroutines of a server may wait for the next request.
const idleWorkers = 256

// workers run handlers, on goroutines that are used again. One that takes a call and leaves others behind brings
// one more goroutine before it runs the handler: no call waits for another's handler, and handlers that return
// at once take turns on a few goroutines, since a switch costs more than such a handler.
type workers struct {
	mu     sync.Mutex
	calls  callQueue // that wait
	coming bool      // a goroutine is on its way to them
	idle   int       // goroutines that wait for wake
	closed bool

	wake    chan struct{} // has room for all that are idle
	running sync.WaitGroup
}

func newWorkers() workers { return workers{wake: make(chan struct{}, idleWorkers)} }

// add lets the calls of q be served soon, and empties it. It never waits.
func (w *workers) add(q *callQueue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls.join(q)
	w.bring()
}

// bring sees to it that a goroutine comes if calls wait. The caller holds mu.
func (w *workers) bring() {
	switch {
	case w.calls.first == nil || w.coming:
		return
	case w.idle > 0:
		w.idle--
		w.wake <- struct{}{}
	default:
		w.running.Go(w.work) // ends when many others wait or the server ends, which waits for it
	}
	w.coming = true
}

func (w *workers) work() {
	for c := w.take(true); c != nil; c = w.take(false) {
		c.serve()
	}
}

// take waits for a call; nil ends the goroutine. comes says that it has just been brought, so that it
// is not on its way any more.
func (w *workers) take(comes bool) *serverCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if comes {
			w.coming = false
		}
		if c := w.calls.pop(); c != nil {
			w.bring()
			return c
		}
		if w.closed || w.idle == idleWorkers {
			return nil
		}
		w.idle++
		w.mu.Unlock()
		<-w.wake
		comes = true
		w.mu.Lock()
	}
}

// close waits for all calls that were added. None may be added any more.
func (w *workers) close() {
	w.mu.Lock()
	w.closed, w.idle = true, 0
	close(w.wake)
	w.mu.Unlock()
	w.running.Wait()
}

// callQueue holds calls in the order in which they came.
type callQueue struct {
	first, last *serverCall
	n           int
}

func (q *callQueue) push(c *serverCall) { q.join(&callQueue{c, c, 1}) }

// join moves all calls of p to the end of q.
func (q *callQueue) join(p *callQueue) {
	switch {
	case p.n == 0:
		return
	case q.n == 0:
		q.first = p.first
	default:
		q.last.next = p.first
	}
	q.last = p.last
	q.n += p.n
	*p = callQueue{}
}

// pop takes the first call, nil if there is none.
func (q *callQueue) pop() *serverCall {
	c := q.first
	if c != nil {
		q.first, c.next = c.next, nil
		q.n--
	}
	return c
}
