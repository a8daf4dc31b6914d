package ipc

import (
	"context"
	"errors"
	"io"
	"slices"
	"syscall"
	"time"
)

// isGone reports that the other end has simply gone away, or that this one has closed.
func isGone(err error) bool {
	for _, end := range [...]error{io.EOF, io.ErrUnexpectedEOF, ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// beginRequest lets a call in or refuses it.
func (ses *session) beginRequest(h header) error {
	c := callPool.Get().(*serverCall)
	c.reset(ses, h)
	if e := ses.admit(c, h); e != nil {
		callPool.Put(c)
		ses.server.refused.Add(1)
		return ses.answerError(h.id, e)
	}
	ses.cur = c
	return ses.grow(c, h)
}

// misfit says why a request cannot be one for op.
func (op operation) misfit() string {
	switch {
	case op.stream != nil:
		return "the operation is a stream, and was called"
	case op.handler != nil:
		return "the operation is no stream, and was opened"
	}
	return "no such operation"
}

// admit returns why a call must not run, nil if it may: it then is among the active ones.
func (ses *session) admit(c *serverCall, h header) *RemoteError {
	s, limits := ses.server, &ses.server.o.Limits
	op, known := s.ops[h.op]
	ses.mu.Lock()
	defer ses.mu.Unlock()
	switch {
	case ses.refusal != nil:
		return ses.refusal
	case s.starting.Load():
		return &RemoteError{codeStarting, "starting"}
	case !known || (op.stream != nil) != (h.flags&flagStream != 0):
		return &RemoteError{CodeUnknown, op.misfit()}
	case int64(h.length) > int64(limits.MaxMessage):
		return &RemoteError{codeTooLarge, "request too large"}
	case int64(h.id.slot) >= int64(limits.CallsPerConnection),
		ses.running >= limits.CallsPerConnection, ses.held >= 2*limits.CallsPerConnection:
		return &RemoteError{codeBusy, "too many calls on this connection"}
	case s.running.Load() >= int64(limits.Calls) || s.held.Load()/2 >= int64(limits.Calls):
		return &RemoteError{codeBusy, "too many calls"}
	}
	for len(ses.calls) <= int(h.id.slot) {
		ses.calls = append(ses.calls, nil)
	}
	if old := ses.calls[h.id.slot]; old != nil {
		ses.drop(old) // its caller must have given up
	}
	c.op = op
	if op.stream != nil {
		c.stream = newStream(&ses.link, h.id, h.op, deadline{})
		s.streams.Add(1)
	}
	ses.calls[h.id.slot] = c
	ses.running++
	ses.held++
	ses.admitted = ses.in.passed
	s.running.Add(1)
	s.held.Add(1)
	s.calls.Add(1)
	return nil
}

// grow accounts for the next piece of a request, and gives up the whole if it is too much.
func (ses *session) grow(c *serverCall, h header) error {
	s, n := ses.server, int64(h.length)
	if c.size+n <= int64(s.o.Limits.MaxMessage) && s.memory.Add(n) <= int64(s.o.Limits.Memory) {
		c.size += n
		c.expect(int(n))
		return nil
	}
	e := &RemoteError{codeTooLarge, "request too large"}
	if c.size+n <= int64(s.o.Limits.MaxMessage) {
		s.memory.Add(-n)
		e = &RemoteError{codeBusy, "no memory for the request"}
	}
	s.refused.Add(1)
	ses.cur = nil
	ses.mu.Lock()
	ses.drop(c)
	ses.mu.Unlock()
	return ses.answerError(h.id, e)
}

// answerError answers a call that does not run.
func (ses *session) answerError(id callID, e *RemoteError) error {
	return ses.addAnswer(header{kind: frameError, id: id}, appendRemote(nil, e))
}

// addAnswer adds a small answer to the frames that the goroutine which reads is to push.
func (ses *session) addAnswer(h header, payload []byte) error {
	h.length = uint32(len(payload))
	_, err := ses.out.add(h, payload)
	ses.added = true
	return err
}

// lookup returns the active call with an id. The caller holds mu.
func (ses *session) lookup(id callID) *serverCall {
	if int64(id.slot) < int64(len(ses.calls)) {
		if c := ses.calls[id.slot]; c != nil && c.id == id {
			return c
		}
	}
	return nil
}

// cancel ends a call whose caller waits no longer.
func (ses *session) cancel(id callID) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if c := ses.lookup(id); c != nil {
		ses.drop(c)
	}
}

// drop forgets a call and tells its handler, if that runs. The caller holds mu.
func (ses *session) drop(c *serverCall) {
	ses.calls[c.id.slot] = nil
	c.unwanted.Store(true)
	c.ctx.cancel(context.Canceled)
	if c.stream != nil {
		c.stream.finish(&CallError{c.Op, PhaseWait, MaybeProcessed, context.Canceled})
	}
	if c.receiving {
		c.receiving = false
		if ses.cur == c {
			ses.cur = nil
		}
		ses.running--
		ses.server.running.Add(-1)
		c.release()
	}
}

// control answers a control operation, whatever the limits say.
func (ses *session) control() error {
	if len(ses.ask) == 0 {
		return errFrame
	}
	var b []byte
	switch ses.ask[0] {
	case controlPing:
	case controlStatus:
		st := ses.server.Status()
		b = appendStatus(nil, &st)
	case controlShutdown:
		reason := ""
		if err := eachField(ses.ask[1:], func(tag byte, contents []byte) {
			if tag == tagReason {
				reason = string(contents)
			}
		}); err != nil {
			return err
		}
		// The answer comes first: a server without calls ends at once.
		defer ses.server.beginDrain(EventDiedRequest, reason)
	default:
		return ses.answerError(ses.head.id, &RemoteError{CodeUnknown, "no such control operation"})
	}
	return ses.addAnswer(header{kind: frameResponse, id: ses.head.id}, b)
}

func (ses *session) beginControl(h header) error {
	if h.length > ackFieldMax || h.flags != 0 {
		return errFrame
	}
	ses.ask = slices.Grow(ses.ask[:0], int(h.length))
	return nil
}

// deadline returns when the time of a request is up.
func (ses *session) deadline(h header) time.Time {
	if h.extra == 0 {
		return time.Time{}
	}
	return ses.readAt().Add(time.Duration(h.extra) * time.Millisecond)
}

// readAt returns when the last bytes were read, of many requests at once.
func (ses *session) readAt() time.Time {
	if ses.now.IsZero() {
		ses.now = now()
	}
	return ses.now
}
