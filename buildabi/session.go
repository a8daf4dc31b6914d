package buildabi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// How a session spaces what it does.
const (
	passGap       = 16 * time.Millisecond  // between two passes, at least
	sessionGap    = 600 * time.Microsecond // the same for each session, under constant change
	coverageTick  = 500 * time.Millisecond // between two looks at the coverage
	writeDeadline = 5 * time.Second        // of a pass, and once more for each writeStep of it
	writeStep     = 64 << 10               // bytes
	frameHead     = 10                     // what a connection may put before a message, in bytes
	pingGap       = 20 * time.Second
	pongDeadline  = 10 * time.Second
	slowPass      = time.Second // to write: by then the client has taken some of it, not only the system
)

// MaxRequest is how long a message from a client may be. An adapter makes it its read limit.
const MaxRequest = 4096

// Codes with which [Board.Serve] and its connections close a session.
const (
	CloseUnsupported = 1003 // a text message
	ClosePolicy      = 1008 // a message with an unknown tag
	CloseTooBig      = 1009 // a message longer than MaxRequest
)

// Conn is a connection to one client that carries binary messages, such as a WebSocket. Read and
// Write are called by one goroutine each, at the same time.
type Conn interface {
	// Read returns the next message, which the caller may keep. It fails when ctx ends. A text
	// message is a [*CloseError].
	Read(ctx context.Context) ([]byte, error)
	// Write sends the messages in one go and each on its own, and does not keep them. It fails
	// when ctx ends, whose deadline leaves 5 s for each 64 KiB. An adapter may see earlier that
	// the client takes nothing.
	Write(ctx context.Context, msgs [][]byte) error
}

// Pinger is a [Conn] that can ask whether the client is still there.
type Pinger interface {
	// Ping returns when the client has answered; it fails when ctx ends. It may be called while
	// Write is, and should not fail for having to wait for that.
	Ping(ctx context.Context) error
}

// CloseError says with which code of the WebSocket protocol a session is to be closed.
type CloseError struct {
	Code   int
	Reason string
}

// Error returns code and reason.
func (e *CloseError) Error() string {
	return fmt.Sprintf("buildabi: session closed with code %d: %s", e.Code, e.Reason)
}

// Serve shows the board to one client until that fails or ctx ends, and says why: a
// [*CloseError] where the client is to be told a code. It takes the client's clicks, and pings it
// if c is a [Pinger]; a client that does not answer, or does not take what is new at 64 KiB in 5 s at least, is
// dropped. The connection is not closed, but no longer used: Serve waits for the goroutines that it starts.
func (b *Board) Serve(ctx context.Context, c Conn) error {
	ctx, end := context.WithCancelCause(ctx)
	s := session{board: b, conn: c, timer: time.NewTimer(0)}
	var started sync.WaitGroup
	started.Go(func() { end(b.receive(ctx, c)) }) // all end when one does
	if p, ok := c.(Pinger); ok {
		started.Go(func() { end(s.ping(ctx, p)) })
	}
	b.count(1)
	defer b.count(-1)
	end(s.send(ctx))
	started.Wait()
	return context.Cause(ctx)
}

// receive takes the client's messages.
func (b *Board) receive(ctx context.Context, c Conn) error {
	for {
		m, err := c.Read(ctx)
		if err != nil {
			return fmt.Errorf("buildabi: session: read: %w", err)
		}
		if len(m) > MaxRequest {
			return &CloseError{CloseTooBig, "message too big"}
		}
		if len(m) == 0 {
			continue // as Zig's server does
		}
		if _, err := ParseClient(m); err != nil {
			return &CloseError{ClosePolicy, "unknown message"}
		}
		b.click()
	}
}

// ping makes sure that the client is there, whether it says anything or not. One that takes a pass is, and a ping
// that had to wait behind that shows nothing.
func (s *session) ping(ctx context.Context, p Pinger) error {
	ticks := time.NewTicker(pingGap)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticks.C:
		}
		if s.writing.Load() {
			continue
		}
		passes := s.slow.Load()
		pong, cancel := context.WithTimeoutCause(ctx, pongDeadline, errNoPong)
		err := p.Ping(pong)
		cancel()
		if err != nil && !s.writing.Load() && s.slow.Load() == passes {
			return fmt.Errorf("buildabi: session: ping: %w", err)
		}
	}
}

var errNoPong = errors.New("no answer in time")

// session is what one client has been told.
type session struct {
	board *Board
	conn  Conn
	timer *time.Timer // of whatever is waited for
	gap   time.Duration

	writing atomic.Bool
	slow    atomic.Int64 // passes that took [slowPass] or longer

	seen     uint64 // the board's changes at the last look
	list     uint64 // the step list of the last Hello
	build    *Build
	helloAt  int64
	status   BuildStatus
	statuses Statuses
	reports  uint64 // the count of those sent
	index    *indexed
	coverage []byte
	entries  []byte

	// Of one pass, kept for the next because of their memory.
	view   view
	buffer []byte
	msgs   [][]byte
}

// send tells the client what it has not been told, whenever there is something.
func (s *session) send(ctx context.Context) error {
	for {
		s.look()
		s.encode()
		if len(s.msgs) > 0 {
			if err := s.write(ctx); err != nil {
				return err
			}
			if err := s.pause(ctx); err != nil {
				return err
			}
		}
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
}

func (s *session) write(ctx context.Context) error {
	size := 0
	for _, m := range s.msgs {
		size += frameHead + len(m)
	}
	ctx, cancel := context.WithTimeout(ctx, writeDeadline*time.Duration(1+size/writeStep))
	defer cancel()
	start := time.Now()
	s.writing.Store(true)
	err := s.conn.Write(ctx, s.msgs)
	if time.Since(start) >= slowPass {
		s.slow.Add(1)
	}
	s.writing.Store(false)
	if err != nil {
		return fmt.Errorf("buildabi: session: write: %w", err)
	}
	return nil
}

// wait waits for a change of the board, and no longer than a tick while there is fuzzing.
func (s *session) wait(ctx context.Context) error {
	if s.view.fuzz == nil {
		return s.board.wait(ctx, s.seen, nil)
	}
	s.timer.Reset(coverageTick)
	return s.board.wait(ctx, s.seen, s.timer.C)
}

// pause waits until the next pass may be sent: while there are changes all the time, the later the
// more sessions there are.
func (s *session) pause(ctx context.Context) error {
	err := s.sleep(ctx, passGap)
	if err == nil && s.board.hasChanged(s.seen) {
		err = s.sleep(ctx, s.gap-passGap)
	}
	return err
}

func (s *session) sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	s.timer.Reset(d)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.timer.C:
		return nil
	}
}
