package webui

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// passConn lies below the WebSocket, which sends every frame at once, and collects the frames of
// a pass while they are held.
type passConn struct {
	net.Conn

	mu     sync.Mutex // control frames come from other goroutines
	held   bool
	buffer []byte
}

// maxKept bounds the memory that a connection keeps for its next pass.
const maxKept = 64 << 10

func (c *passConn) hold() {
	c.mu.Lock()
	c.held = true
	c.mu.Unlock()
}

// grace is how long a pass that is being sent may take on when its session ends: cut short, it
// would leave no way to tell the client why.
const grace = time.Second

// release sends what was held, in one call. It fails at the deadline of ctx, or soon after ctx
// ends.
func (c *passConn) release(ctx context.Context) error {
	c.mu.Lock()
	b := c.buffer
	c.held, c.buffer = false, nil
	c.mu.Unlock()
	deadline, _ := ctx.Deadline() // none is no deadline for the connection either
	if err := c.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			c.SetWriteDeadline(time.Now().Add(grace))
		}
	})
	_, err := c.Conn.Write(b)
	if !stop() || err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	if cap(b) <= maxKept {
		c.mu.Lock()
		c.buffer = b[:0] // nobody else holds
		c.mu.Unlock()
	}
	return c.SetWriteDeadline(time.Time{})
}

// Write sends what is not of a pass at once.
func (c *passConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	held := c.held
	if held {
		c.buffer = append(c.buffer, b...)
	}
	c.mu.Unlock()
	if held {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// passWriter is a response whose connection, once it is upgraded, writes by way of a passConn.
type passWriter struct {
	http.ResponseWriter
	conn *passConn
}

// Hijack hands over the connection.
func (w *passWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := buffered.Flush(); err != nil {
		return nil, nil, err
	}
	w.conn.Conn = c
	return w.conn, bufio.NewReadWriter(buffered.Reader, bufio.NewWriter(w.conn)), nil
}
