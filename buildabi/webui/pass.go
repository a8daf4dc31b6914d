package webui

import (
	"bufio"
	"context"
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

// release sends what was held, in one call. It fails when ctx ends.
func (c *passConn) release(ctx context.Context) error {
	c.mu.Lock()
	b := c.buffer
	c.held, c.buffer = false, nil
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := c.Conn.Write(b)
	if !stop() {
		return context.Cause(ctx)
	}
	if cap(b) <= maxKept {
		c.mu.Lock()
		c.buffer = append(b[:0], c.buffer...) // nothing, as only passes are held
		c.mu.Unlock()
	}
	return err
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
