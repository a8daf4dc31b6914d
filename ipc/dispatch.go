package ipc

import (
	"context"
	"errors"
	"io"
	"math/bits"
	"os"
	"runtime"
	"time"
)

// dispatch runs the handler of a complete request, on the goroutine that reads if it is fast.
func (ses *session) dispatch(c *serverCall) error {
	c.Payload, c.came = c.buf, ses.readAt()
	if c.op.fast {
		ses.handOut() // no call waits for another's handler
		return ses.runFast(c)
	}
	ses.toServe(c)
	return nil
}

// batchMost is how many calls may wait for others that came with the same read.
const batchMost = 16

// toServe lets a goroutine serve c soon, with others that came with it.
func (ses *session) toServe(c *serverCall) {
	ses.arrived.push(c)
	if ses.arrived.n == batchMost {
		ses.handOut()
	}
}

// handOut gives the calls that have arrived to goroutines that serve them.
func (ses *session) handOut() {
	if ses.arrived.n > 0 {
		ses.server.workers.add(&ses.arrived)
	}
}

// serve runs the handler and writes its answer, even if the handler ends the goroutine.
func (c *serverCall) serve() {
	response, err := c.ready, c.failure
	defer func() { c.finish(response, err) }()
	if !c.returned {
		err = errNoReturn
		response, err = c.invoke()
	}
}

func (c *serverCall) finish(response *Response, err error) {
	ses := c.ses
	crowd := ses.handled(c, err)
	c.answer(response, err, crowd)
	ses.mu.Lock()
	defer ses.mu.Unlock()
	c.release()
}

// runFast runs the handler on the goroutine that reads. Another writes what takes long: who reads never waits for a write.
func (ses *session) runFast(c *serverCall) (broken error) {
	var response *Response
	err, given := error(errNoReturn), false
	defer func() {
		if !given {
			broken = ses.finishFast(c, response, err)
		}
	}()
	response, err = c.invoke()
	if ses.takesLong(response) {
		c.returned, c.ready, c.failure, given = true, response, err, true
		ses.toServe(c)
	}
	return nil
}

// takesLong reports whether an answer is large, or comes behind so many that it must wait for its client to read some.
func (ses *session) takesLong(r *Response) bool {
	return r != nil && (r.File != nil || len(r.Payload) > largeFrame) || ses.out.crowded()
}

func (ses *session) finishFast(c *serverCall, response *Response, err error) (broken error) {
	ses.handled(c, err)
	if !c.unwanted.Load() {
		broken = ses.addAnswer(c.message(response, err))
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	c.release()
	return broken
}

// message returns the first header, but for its length, and the payload of an answer without a file.
func (c *serverCall) message(r *Response, err error) (header, []byte) {
	h := header{kind: frameResponse, id: c.id}
	switch {
	case err != nil:
		h.kind = frameError
		return h, appendRemote(nil, remoteOf(err))
	case r == nil:
		return h, nil
	}
	return h, r.Payload
}

// invoke runs the handler; a panic of it is an error.
func (c *serverCall) invoke() (response *Response, err error) {
	s := c.ses.server
	returned := false
	defer func() {
		if !returned {
			err = s.panicked(c, recover())
		}
		took := uint64(time.Since(c.came) / time.Microsecond)
		s.latency[min(bits.Len64(took), len(s.latency)-1)].Add(1)
		c.ctx.cancel(context.Canceled)
	}()
	if c.op.stream != nil {
		err = c.op.stream(c.ctx, &c.Request, c.stream)
	} else {
		response, err = c.op.handler(c.ctx, &c.Request)
	}
	if err != nil {
		err = remoteOf(err) // here, for the methods of an error may panic as the handler may
	}
	returned = true
	return response, err
}

// panicked reports what a handler panicked with; nil is a runtime.Goexit.
func (s *Server) panicked(c *serverCall, value any) error {
	s.panics.Add(1)
	stack := make([]byte, 16<<10)
	s.event(Event{Kind: EventPanic, Peer: c.ses.peer.PID,
		Err: &PanicError{Op: c.Op, Value: value, Stack: stack[:runtime.Stack(stack, false)]}})
	return errNoReturn
}

var errNoReturn = &RemoteError{CodeInternal, "the handler panicked"}

// PanicError is the error of an [EventPanic].
type PanicError struct {
	Op    uint16
	Value any // of the panic
	Stack []byte
}

// Error names the operation; what a panic's value says may be of any size.
func (e *PanicError) Error() string { return "ipc: handler panicked" }

// handled takes the call from the active ones, so that its slot can be used as soon as the answer
// is read. It reports whether other answers will follow soon.
func (ses *session) handled(c *serverCall, err error) (crowd bool) {
	s := ses.server
	if err != nil {
		s.failed.Add(1)
	}
	s.running.Add(-1)
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.running--
	if ses.calls[c.id.slot] == c {
		ses.calls[c.id.slot] = nil
	}
	if c.stream != nil {
		c.stream.closed = true
		c.stream.finish(io.ErrClosedPipe)
	}
	return ses.held > 1
}

// answer writes the answer, unless nobody waits for it.
func (c *serverCall) answer(r *Response, err error, crowd bool) {
	if r != nil && r.File != nil {
		defer r.File.Close()
	}
	if c.unwanted.Load() {
		return
	}
	if err == nil && r != nil && r.File != nil {
		c.answerFile(r.File, crowd)
		return
	}
	h, payload := c.message(r, err)
	c.ses.sendMessage(h, payload, &deadline{}, crowd)
}

// answerFile sends the open file if the caller takes it and it is worth it, else its bytes.
func (c *serverCall) answerFile(f *os.File, crowd bool) {
	info, err := f.Stat()
	if err == nil && c.takesFile && info.Size() >= fileMin {
		h := header{kind: frameResponse, flags: flagFile, id: c.id, length: 8}
		c.ses.out.sendFile(h, append64(nil, uint64(info.Size())), f, &deadline{})
		return
	}
	var b []byte
	if err == nil {
		b, err = readWhole(f, info.Size())
	}
	h, payload := c.message(&Response{Payload: b}, err)
	c.ses.sendMessage(h, payload, &deadline{}, crowd)
}

// readWhole reads a file of a size that fits into a message of any client.
func readWhole(f *os.File, size int64) ([]byte, error) {
	if size > defaultMaxMessage {
		return nil, &RemoteError{codeAnswer, "file too large to travel as bytes"}
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	switch {
	case int64(n) == size:
		return b, nil
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF // it has shrunk
	}
	return nil, err
}
