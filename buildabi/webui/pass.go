package webui

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"time"
)

// passWriter sends the messages of a pass below the WebSocket, which would make a system call of
// each: a frame from a server is a few bytes before the message. The WebSocket's own frames are
// single writes to the same connection, so that neither gets into the other.
type passWriter struct {
	conn   net.Conn
	buffer []byte
}

// maxKept bounds the memory that a connection keeps for its next pass.
const maxKept = 64 << 10

// grace is how long a pass that is being sent may take on when its session ends: cut short, it
// would leave no way to tell the client why.
const grace = time.Second

// write sends the messages in one call. It fails at the deadline of ctx, or soon after ctx ends.
func (w *passWriter) write(ctx context.Context, msgs [][]byte) error {
	b := w.buffer[:0]
	for _, m := range msgs {
		b = append(appendHead(b, len(m)), m...)
	}
	if cap(b) <= maxKept {
		w.buffer = b
	}
	deadline, _ := ctx.Deadline() // none is no deadline for the connection either
	if err := w.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			w.conn.SetWriteDeadline(time.Now().Add(grace))
		}
	})
	_, err := w.conn.Write(b)
	if !stop() || err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return w.conn.SetWriteDeadline(time.Time{}) // the WebSocket's own frames have limits of theirs
}

// appendHead appends what goes before a message of n bytes: one complete binary frame, not masked,
// with the shortest form of its length.
func appendHead(b []byte, n int) []byte {
	const lastBinary = 0x82
	switch {
	case n < 126:
		return append(b, lastBinary, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, lastBinary, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, lastBinary, 127), uint64(n))
}

// hijacker is a response that keeps the connection once it is upgraded.
type hijacker struct {
	http.ResponseWriter
	conn *net.Conn
}

// Hijack hands over the connection.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	*h.conn = c
	return c, buffered, err
}
