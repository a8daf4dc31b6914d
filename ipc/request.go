package ipc

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	keptRequest = 2 << 20  // the largest buffer that is kept for the next request
	keptAnswer  = 64 << 10 // the same for an answer
)

// Request is one call as a handler sees it. It and all that it gives are valid until the handler
// returns.
type Request struct {
	Op uint16
	// Payload is what the caller sent. The handler may change it.
	Payload []byte

	call *serverCall
}

// Peer returns who calls.
func (r *Request) Peer() Peer { return r.call.ses.peer }

// Reply returns an answer without an allocation. The server reads payload after the handler has
// returned: it may be a part of the request or of [Request.Buffer], and may otherwise
// not change any more.
func (r *Request) Reply(payload []byte) *Response {
	r.call.response = Response{Payload: payload}
	return &r.call.response
}

// Buffer returns an empty slice to build the answer in. It has room for as much as an earlier call was answered, up to
// 64 KiB.
func (r *Request) Buffer() []byte {
	c := r.call
	if cap(c.scratch) < c.answered {
		c.scratch = make([]byte, 0, c.answered)
	}
	return c.scratch
}

// Response is the answer to a call.
type Response struct {
	Payload []byte
	// File is sent instead of Payload if it is not nil: its bytes from the beginning, or the open
	// file itself to a caller that takes it. It is a regular file opened for reading only,
	// which nobody writes to any more. The server closes it.
	File *os.File
}

// serverCall is a call on the server, from the header of its request until its answer is written.
type serverCall struct {
	Request
	ses       *session
	id        callID
	op        operation
	ctx       *callContext
	response  Response
	returned  bool // the handler has, with what follows
	ready     *Response
	failure   error
	scratch   []byte    // for the answer, empty
	answered  int       // bytes of the answer before, as far as they count
	buf       []byte    // of the payload
	came      time.Time // when its last byte was read
	size      int64     // of the request, as it is accounted for
	receiving bool      // the request is not complete
	takesFile bool
	unwanted  atomic.Bool // nobody waits for the answer
	stream    *Stream
	next      *serverCall // of those that wait for a goroutine
}

var callPool = sync.Pool{New: func() any { return &serverCall{ctx: new(callContext)} }}

func (c *serverCall) reset(ses *session, h header) {
	c.ses, c.id, c.size = ses, h.id, 0
	c.Request = Request{Op: h.op, call: c}
	c.receiving, c.takesFile = true, h.flags&flagFile != 0
	if c.unwanted.Load() { // to store costs more than to ask
		c.unwanted.Store(false)
	}
	c.stream, c.returned, c.ready, c.failure, c.response = nil, false, nil, nil, Response{}
	c.buf = c.buf[:0]
	if c.ctx.used {
		c.ctx = new(callContext) // what was derived from it may still ask it
	}
	c.ctx.reset(ses.deadline(h))
}

// release gives back what the call has. Its caller holds the session's mu.
func (c *serverCall) release() {
	ses, s := c.ses, c.ses.server
	ses.held--
	s.memory.Add(-c.size)
	if c.stream != nil {
		s.streams.Add(-1)
	}
	c.answered = min(len(c.response.Payload), keptAnswer)
	c.Payload, c.response, c.ses, c.stream = nil, Response{}, nil, nil
	if cap(c.buf) > keptRequest {
		c.buf = nil
	}
	callPool.Put(c)
	s.letGo() // here, for a request or an answer may take much longer than its handler
}

func (c *serverCall) expect(n int) { c.buf = slices.Grow(c.buf, min(n, growStep)) }

func (c *serverCall) take(p []byte) { c.buf = appendRead(c.buf, p) }

func (c *serverCall) room(n int) []byte {
	c.buf = withRoom(c.buf, n)
	return c.buf[len(c.buf):cap(c.buf)]
}

// callContext is the context of a handler. It costs nothing unless somebody waits for it.
type callContext struct {
	mu    sync.Mutex
	at    time.Time
	done  chan struct{}
	timer *time.Timer
	err   error
	used  bool // somebody waits for it: it is not used for another call
}

func (c *callContext) reset(at time.Time) { c.at, c.err = at, nil }

// Deadline returns when the caller gives up.
func (c *callContext) Deadline() (time.Time, bool) { return c.at, !c.at.IsZero() }

// Done is closed when the caller gives up or the handler has returned.
func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done, c.used = make(chan struct{}), true
		switch {
		case c.err != nil:
			close(c.done)
		case !c.at.IsZero():
			c.timer = time.AfterFunc(time.Until(c.at), func() { c.cancel(context.DeadlineExceeded) })
		}
	}
	return c.done
}

// Err says why Done is closed.
func (c *callContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && !c.at.IsZero() && !time.Now().Before(c.at) {
		c.end(context.DeadlineExceeded)
	}
	return c.err
}

// Value returns nil: the context holds nothing.
func (*callContext) Value(any) any { return nil }

func (c *callContext) cancel(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.end(err)
	}
}

func (c *callContext) end(err error) {
	c.err = err
	if c.done != nil {
		close(c.done)
	}
	if c.timer != nil {
		c.timer.Stop()
	}
}
