package gocacheprog

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// reader is a turn at reading requests; there is one at a time. It answers a get itself,
// without a goroutine for it: most take a few microseconds, less than a hand-over does.
// When one takes long, [watch] gives the turn to another reader.
type reader struct {
	s *session
	q request
	// since is when the get began that this reader answers itself, on the clock of the
	// watch; zero outside of one, and turnTaken once another reader has the turn.
	since atomic.Int64
	slot  *slot // held once the turn is taken
	// relieved is closed when the next reader runs. This one stays until then, so that
	// there is one for Serve to wait for at any time.
	relieved chan struct{}
}

// read serves requests until input ends or another reader has the turn.
func (r *reader) read() {
	for {
		if !r.s.in.pending() {
			r.s.out.flush()
		}
		line, err := r.s.in.line()
		switch {
		case err == nil:
			if !r.serve(line) {
				return
			}
		case errors.Is(err, errNotRequest):
			r.s.trouble.report("input that is no request is skipped", err)
		case errors.Is(err, io.EOF):
			return
		default:
			r.s.readErr = err
			return
		}
	}
}

// serve works on one line and reports whether to read on.
func (r *reader) serve(line []byte) bool {
	ok, err := r.q.decode(line)
	if !ok {
		r.s.trouble.report("a request without a readable ID is skipped", err)
		return true
	}
	switch r.q.Command {
	case commandGet:
		return r.get()
	case commandPut:
		if err != nil { // the size of the body may be what could not be read
			r.s.refuse(r.q.ID, err)
			return true
		}
		r.s.put(&r.q)
	case commandClose:
		r.s.out.send(&response{ID: r.q.ID})
	default:
		r.s.refuse(r.q.ID, fmt.Errorf("unknown command %q", r.q.Command))
	}
	return true
}

// get answers a get and reports whether to read on.
func (r *reader) get() bool {
	s := r.s
	<-s.opened
	action, hasID := r.q.action()
	if s.watch.slow.Load() {
		s.getElsewhere(r.q.ID, action, hasID)
		return true
	}
	r.begin()
	answer := response{ID: r.q.ID}
	s.get(&answer, action, hasID)
	s.out.add(&answer)
	if r.finish() {
		return true
	}
	s.out.flush()
	s.giveSlot(r.slot)
	return false
}

// refuse answers a request that the go command does not send.
func (s *session) refuse(id int64, err error) {
	s.trouble.report("a request is refused", err)
	s.out.send(&response{ID: id, Err: err.Error()})
}
