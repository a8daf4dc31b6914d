package ipc

import (
	"context"
	"io"
	"sync"
)

// Stream carries bytes both ways beside the other calls of a connection. Its sides are
// independent: one goroutine may read while another writes. Where two do the same, one waits for the other. A reader that
// stops holds up the writer at the other end after 256 KiB and nothing else.
type Stream struct {
	link *link
	id   callID
	op   uint16
	d    deadline
	end  func() // gives back what the stream has

	reads, writes  sync.Mutex // held by the one that does
	reader, writer waiter

	// Guarded by link.mu:
	in       []byte            // what has come, from off on
	off      int               // of in
	chunks   [streamChunks]int // sizes of the chunks in in, as far as they are not read
	held     int               // of chunks
	owed     int               // chunks that were read and not yet credited
	credit   int               // chunks that may be sent
	ended    bool              // the other end writes no more
	complete bool              // the call is over
	err      error             // why it failed
	closed   bool              // this end writes no more
	left     bool              // nor does it read
}

func newStream(l *link, id callID, op uint16, d deadline) *Stream {
	return &Stream{link: l, id: id, op: op, d: d, credit: streamChunks,
		reader: newWaiter(), writer: newWaiter()}
}

// frame takes the header of a chunk or a credit. The caller of these methods holds mu.
func (s *Stream) frame(h header) error {
	if h.kind == frameCredit {
		s.credit += int(h.extra)
		if h.length != 0 || h.extra > streamChunks || s.credit > streamChunks {
			return errCredit
		}
		s.link.tell(&s.writer)
		return nil
	}
	if s.ended || h.length == 0 && h.flags&flagEnd == 0 {
		return errFrame
	}
	if h.length > chunkSize || h.length > 0 && s.held == streamChunks {
		return errCredit
	}
	return nil
}

func (s *Stream) take(p []byte) {
	if s.off > 0 && len(s.in)+len(p) > cap(s.in) {
		s.in = s.in[:copy(s.in, s.in[s.off:])]
		s.off = 0
	}
	s.in = append(s.in, p...)
}

func (s *Stream) endFrame(h header) {
	if h.length > 0 {
		s.chunks[s.held] = int(h.length)
		s.held++
	}
	s.ended = s.ended || h.flags&flagEnd != 0
	s.link.tell(&s.reader)
}

// finish ends the stream at both sides; nil is a good end.
func (s *Stream) finish(err error) {
	if s.complete {
		return
	}
	s.complete, s.err = true, err
	s.link.tell(&s.reader)
	s.link.tell(&s.writer)
}

// Read reads what the other end wrote, and waits for at least one byte. It returns [io.EOF] after
// the last one, and the error of the call when that failed.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.reads.Lock()
	defer s.reads.Unlock()
	for {
		n, credit, err := s.takeRead(p)
		if credit > 0 {
			h := header{kind: frameCredit, id: s.id, extra: uint32(credit)}
			s.link.out.send(h, nil, &s.d, false) // if it fails, so does the next read
		}
		if n > 0 || err != nil {
			return n, err
		}
		if err := s.await(&s.reader); err != nil {
			return 0, s.failure(PhaseRead, err)
		}
	}
}

// await waits for news of one side. A silence counts from now on, not from the begin of the stream.
func (s *Stream) await(w *waiter) error {
	d := s.d
	d.now = now()
	return s.link.await(w, &d)
}

// takeRead takes what has come and says how many chunks may be credited.
func (s *Stream) takeRead(p []byte) (n, credit int, err error) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.left {
		return 0, 0, s.err
	}
	n = copy(p, s.in[s.off:min(len(s.in), s.off+s.whole())])
	switch {
	case n > 0:
	case s.err != nil:
		return 0, 0, s.err
	case s.ended || s.complete:
		return 0, 0, io.EOF
	}
	s.off += n
	for rest := n; rest > 0; {
		part := min(rest, s.chunks[0])
		s.chunks[0] -= part
		rest -= part
		if s.chunks[0] == 0 {
			copy(s.chunks[:], s.chunks[1:])
			s.held--
			s.owed++
		}
	}
	if s.held == 0 && s.off == len(s.in) {
		s.in, s.off = s.in[:0], 0
	}
	if s.owed >= streamChunks/2 || s.held == 0 {
		credit, s.owed = s.owed, 0
	}
	return n, credit, nil
}

// whole returns the bytes of complete chunks.
func (s *Stream) whole() (n int) {
	for _, c := range s.chunks[:s.held] {
		n += c
	}
	return n
}

// Write writes p in chunks of at most 64 KiB; it waits while four of them are not yet read. It
// keeps no part of p.
func (s *Stream) Write(p []byte) (n int, err error) {
	s.writes.Lock()
	defer s.writes.Unlock()
	for n < len(p) {
		part := p[n:min(len(p), n+chunkSize)]
		if err := s.spend(); err != nil {
			return n, err
		}
		h := header{length: uint32(len(part)), kind: frameChunk, id: s.id}
		if _, err := s.link.out.send(h, part, &s.d, false); err != nil {
			return n, s.failure(PhaseWrite, err)
		}
		n += len(part)
	}
	return n, nil
}

// spend waits for the credit for one chunk.
func (s *Stream) spend() error {
	for {
		s.link.mu.Lock()
		err := s.writable()
		ok := err == nil && s.credit > 0
		if ok {
			s.credit--
		}
		s.link.mu.Unlock()
		if ok || err != nil {
			return err
		}
		if err := s.await(&s.writer); err != nil {
			return s.failure(PhaseWrite, err)
		}
	}
}

func (s *Stream) writable() error {
	switch {
	case s.err != nil:
		return s.err
	case s.closed, s.complete:
		return io.ErrClosedPipe
	}
	return nil
}

// CloseWrite tells the other end that no more will be written; reading goes on.
func (s *Stream) CloseWrite() error {
	s.link.mu.Lock()
	err := s.writable()
	s.closed = true
	s.link.mu.Unlock()
	if err != nil {
		return err
	}
	h := header{kind: frameChunk, flags: flagEnd, id: s.id}
	if _, err := s.link.out.send(h, nil, &s.d, false); err != nil {
		return s.failure(PhaseWrite, err)
	}
	return nil
}

// Close ends the stream. On a client it cancels the call unless the server has ended it; after
// that Read and Write fail. A handler need not call it.
func (s *Stream) Close() error {
	s.link.mu.Lock()
	s.closed, s.left = true, true
	s.finish(ErrClosed)
	if s.err == nil { // it has ended well
		s.err = ErrClosed
	}
	s.link.nudge(&s.reader)
	s.link.nudge(&s.writer)
	end := s.end
	s.end = nil
	s.link.mu.Unlock()
	if end != nil {
		end()
	}
	return nil
}

func (s *Stream) failure(phase Phase, err error) error {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.err != nil {
		return s.err // says more than that the connection is gone
	}
	return &CallError{s.op, phase, MaybeProcessed, err}
}

// openStream opens a stream.
func (m *mux) openStream(out *outgoing, d deadline) (*Stream, error) {
	k, err := m.slot(nil, out, &d)
	if err != nil {
		return nil, err
	}
	s := newStream(&m.link, k.id, k.out.op, d)
	m.mu.Lock()
	k.stream = s
	m.mu.Unlock()
	err = m.sendRequest(k, &s.d)
	if err != nil && !gaveUp(err) && k.at != notSent {
		err = m.await(&k.waiter, &s.d) // what the server has sent before says more
	}
	if err != nil {
		return nil, m.giveUp(k, PhaseWrite, err)
	}
	s.end = func() {
		m.mu.Lock()
		if k.active {
			m.mu.Unlock()
			m.cancel(k)
			m.mu.Lock()
		}
		m.exit(k)
	}
	return s, nil
}

// Open calls op and returns the stream to its handler. The payload is the beginning of the
// conversation; ctx ends the stream, at any time. Close must be called. Where the connection is gone
// Open connects again, as a call does; a stream that ends later is for the caller to open again, if
// [OutcomeOf] says that no handler saw it.
func (c *Client) Open(ctx context.Context, op uint16, payload []byte) (*Stream, error) {
	d := deadlineOf(ctx, 0)
	out := &outgoing{op: op, payload: payload, stream: true}
	for try := 0; ; try++ {
		m, err := c.connected(&d)
		if err != nil {
			return nil, &CallError{op, PhaseConnect, NotProcessed, err}
		}
		s, err := m.openStream(out, d)
		if err == nil || !c.repeat(m, &d, try, err) {
			return s, err
		}
	}
}
