package ipc

import (
	"os"
	"runtime"
	"time"
)

// session is the server's end of one connection.
type session struct {
	link
	server *Server

	// Of the goroutine that reads:
	head    header
	cur     *serverCall // whose request is being read, nil to skip it
	stream  *Stream     // whose chunk is being read, nil to skip it
	arrived callQueue   // complete calls that are not handed out yet
	ask     []byte      // payload of a control operation
	added   bool        // frames were added that must be pushed
	timed   bool        // a deadline for the header is set
	header  int64       // where that header begins
	now     time.Time   // when the last bytes were read; zero until it matters

	// Guarded by mu:
	calls    []*serverCall // by slot, as far as they are active
	running  int           // calls until their handler has returned
	held     int           // calls until their answer is written
	greeted  bool
	refusal  *RemoteError // nil: calls are let in
	admitted int64        // bytes of the connection up to the last call that was let in
}

// ServeConn serves one open connection, which it owns: a non-blocking socket or an overlapped
// pipe. It returns when the connection has ended: nil if the client went away, else the reason.
func (s *Server) ServeConn(f *os.File) error {
	peer, err := checkedPeer(f, s.o.Allow)
	if err != nil {
		s.turnAway(f, &RemoteError{codeRefused, "not for this user"})
		s.event(Event{Kind: EventRefusedPeer, Peer: peer.PID, Err: err})
		return err
	}
	ses := &session{server: s}
	ses.peer, ses.reading = peer, true
	if err := ses.open(f, ses, s.o.Limits.Stall); err != nil {
		f.Close()
		return err
	}
	if refusal := s.enlist(ses); refusal != nil {
		s.turnAway(f, refusal)
		return &CallError{Phase: PhaseConnect, Outcome: NotProcessed, Err: refusal}
	}
	defer s.delist(ses)
	return ses.serve()
}

// enlist takes the session in, unless there are too many even for control operations or the
// server has ended.
func (s *Server) enlist(ses *session) (refusal *RemoteError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.sessions)
	switch {
	case s.state == Draining || s.closed:
		ses.refusal = s.drainRefusal()
	case n >= s.o.Limits.Connections:
		ses.refusal = &RemoteError{codeBusy, "too many connections"}
	}
	if s.closed || n-spareConnections >= s.o.Limits.Connections {
		return ses.refusal
	}
	if ses.refusal != nil { // else turnAway counts it
		s.refused.Add(1)
	}
	s.sessions[ses] = struct{}{}
	s.serving.Add(1)
	return nil
}

func (s *Server) delist(ses *session) {
	s.mu.Lock()
	delete(s.sessions, ses)
	s.mu.Unlock()
	s.serving.Done()
}

// turnAway tells a client that it is not served.
func (s *Server) turnAway(f *os.File, e *RemoteError) {
	s.refused.Add(1)
	var w wire
	if w.open(f) == nil {
		f.SetWriteDeadline(time.Now().Add(flushGrace)) // it takes no time: the connection has room for so little
		w.write(true, appendRefusal(nil, e), nil, nil)
	}
	f.Close()
}

// appendRefusal appends all that a client is told before its hello is read.
func appendRefusal(b []byte, e *RemoteError) []byte {
	notice := appendGoAway(nil, e, 0)
	b = appendAckHead(b, ackHead{version: versionHighest})
	b = appendHeader(b, header{kind: frameGoAway, length: uint32(len(notice))})
	return append(b, notice...)
}

func appendGoAway(b []byte, e *RemoteError, admitted int64) []byte {
	b = appendNumber(b, tagCode, uint64(e.Code))
	b = appendField(b, tagReason, e.Message)
	return appendNumber(b, tagProcessed, uint64(admitted))
}

// serve reads until the connection ends.
func (ses *session) serve() error {
	ses.readAll()
	ses.background.Wait()
	err := ses.why()
	if isGone(err) {
		return nil
	}
	ses.server.event(Event{Kind: EventBroken, Peer: ses.peer.PID, Err: err})
	return err
}

func (ses *session) readAll() {
	var err error
	met := false
	defer func() {
		if err == nil { // a fast handler ends this goroutine
			err = errNoReturn
		}
		ses.fail(err)
		ses.abandon()
	}()
	for err == nil {
		ses.now = time.Time{}
		if err = ses.in.read(); err == nil {
			err = ses.in.pass()
			ses.handOut()
		}
		if err == nil {
			err = ses.limitHeader()
		} else if err == os.ErrDeadlineExceeded {
			if err = ses.out.death(); err == nil {
				err = errSlow
			}
		}
		if ses.added {
			ses.added = false
			if !met { // a handler that returns at once writes the acknowledgement with its answer
				met = true
				runtime.Gosched()
			}
			ses.out.push()
		}
	}
}

// why returns the first reason for the end.
func (ses *session) why() error {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.err
}

// limitHeader sets a deadline while a header is incomplete.
func (ses *session) limitHeader() error {
	in := &ses.in
	partial := in.rest == 0 && in.r < in.w
	if partial == ses.timed && (!partial || ses.header == in.passed) {
		return nil
	}
	ses.timed, ses.header = partial, in.passed
	at := time.Time{}
	if partial {
		at = time.Now().Add(ses.server.o.Limits.Header)
	}
	ses.wire.f.SetReadDeadline(at)
	if err := ses.out.death(); err == ErrWedged {
		return err // a write has ended reading just before, by a deadline that is overwritten now
	}
	return nil
}

// abandon cancels all calls of a connection that is gone.
func (ses *session) abandon() {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	for _, c := range ses.calls {
		if c != nil {
			ses.drop(c)
		}
	}
}

// greet takes the hello and answers it.
func (ses *session) greet(p []byte) (int, error) {
	if len(p) < helloSize {
		return 0, nil
	}
	h, err := parseHello(p)
	if err != nil {
		return 0, err
	}
	ses.piece = h.role.piece()
	info := ses.server.Info()
	a := ackHead{version: commonVersion(h)}
	if passesFiles {
		a.features = featureFiles & h.features
	}
	limits := &ses.server.o.Limits
	ack := appendAck(nil, a, &info, uint64(limits.MaxMessage), uint64(limits.CallsPerConnection))
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.greeted {
		return helloSize, nil // with a farewell
	}
	ses.greeted, ses.added = true, true
	ses.out.addRaw(ack)
	switch {
	case a.version == 0:
		ses.refusal = &RemoteError{codeVersion, "no common protocol version"}
	case ses.refusal != nil:
		ses.addGoAway()
	}
	return helloSize, nil
}

// addGoAway adds the notice that no more calls are let in. The caller holds mu.
func (ses *session) addGoAway() {
	notice := appendGoAway(nil, ses.refusal, ses.admitted)
	h := header{kind: frameGoAway, length: uint32(len(notice))}
	ses.out.add(h, notice) // fails only with the connection
}

// refuse lets no more calls in and tells so; it may be called from any goroutine.
func (ses *session) refuse(e *RemoteError) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.refusal != nil {
		return
	}
	ses.refusal = e
	if ses.greeted {
		ses.addGoAway()
		ses.out.push()
	}
}

// farewell tells a client that the server ends, so that it knows which of its calls did not run:
// even one whose hello was not read.
func (ses *session) farewell(e *RemoteError) {
	ses.refuse(e)
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if !ses.greeted {
		ses.greeted = true
		ses.out.addRaw(appendRefusal(nil, e))
		ses.out.push()
	}
}

// begin takes the header of a frame.
func (ses *session) begin(h header) error {
	ses.head, ses.cur = h, nil
	switch h.kind {
	case frameRequest:
		if h.op == 0 {
			return ses.beginControl(h)
		}
		return ses.beginRequest(h)
	case framePiece:
		ses.mu.Lock()
		c := ses.lookup(h.id)
		receives := c != nil && c.receiving // asked with the lock: a call that ends may be another connection's by then
		ses.mu.Unlock()
		if receives {
			ses.cur = c
			return ses.grow(c, h)
		}
	case frameChunk, frameCredit:
		return ses.beginChunk(h)
	case frameCancel:
		if h.length != 0 {
			return errFrame
		}
		ses.cancel(h.id)
	default:
		return errFrame
	}
	return nil
}

func (ses *session) beginChunk(h header) error {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	c := ses.lookup(h.id)
	if c == nil || c.stream == nil {
		ses.stream = nil // its call is over
		return nil
	}
	ses.stream = c.stream
	return c.stream.frame(h)
}

// body takes a part of the payload of the current frame.
func (ses *session) body(p []byte) error {
	c := ses.cur
	switch {
	case ses.head.kind == frameRequest && ses.head.op == 0:
		ses.ask = append(ses.ask, p...)
	case ses.head.kind == frameChunk && ses.stream != nil:
		ses.mu.Lock()
		defer ses.mu.Unlock()
		ses.stream.take(p)
	case c != nil:
		c.take(p)
	}
	return nil
}

// room lets large requests be read where they belong.
func (ses *session) room(n int) []byte {
	if ses.cur == nil {
		return nil
	}
	return ses.cur.room(n)
}

// end comes after the last part of the current frame.
func (ses *session) end() error {
	c := ses.cur
	switch {
	case ses.head.kind == frameRequest && ses.head.op == 0:
		return ses.control()
	case ses.head.kind == frameChunk && ses.stream != nil:
		ses.mu.Lock()
		defer ses.mu.Unlock()
		ses.stream.endFrame(ses.head)
	case c != nil && ses.head.flags&flagMore == 0:
		c.receiving = false
		return ses.dispatch(c)
	}
	return nil
}
