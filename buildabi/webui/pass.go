package webui

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"
)

// passWriter sends the messages of a pass below the WebSocket, which would make a system call of
// each: a frame from a server is a few bytes before the message.
type passWriter struct {
	wire   *wire
	buffer []byte
}

const (
	// A client has patience for each part of a pass, so that one that takes something may take a large message in its
	// own time. The deadline of the whole leaves as much.
	partBytes = 64 << 10
	patience  = 5 * time.Second
	// grace is how long a pass that is being sent may take on when its session ends: cut short, it
	// would leave no way to tell the client why.
	grace = time.Second
)

// write sends the messages, in one call if they are no more than a part. It fails when the client takes too little, at
// the deadline of ctx, or soon after ctx ends.
func (w *passWriter) write(ctx context.Context, msgs [][]byte) error {
	err := w.wire.alone(ctx, func() error { return w.send(ctx, msgs) })
	return errors.Join(err, context.Cause(ctx))
}

// send writes part after part. Once ctx has ended the client gets no more time.
func (w *passWriter) send(ctx context.Context, msgs [][]byte) error {
	end := func() {
		left := grace
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			left = 0
		}
		w.wire.SetWriteDeadline(time.Now().Add(left))
	}
	ended := false
	for part := range w.parts(msgs) {
		stop := func() bool { return false }
		if !ended {
			if err := w.wire.SetWriteDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
			stop = context.AfterFunc(ctx, end)
		}
		_, err := w.wire.Conn.Write(part)
		ended = !stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// parts returns what goes out for the messages, hardly more than partBytes at a time, valid until the next: all of it
// at once would be there for each client as long as that takes.
func (w *passWriter) parts(msgs [][]byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := w.buffer[:0]
		for _, m := range msgs {
			b = appendHead(b, len(m))
			for len(b)+len(m) > partBytes {
				n := max(partBytes-len(b), 0)
				b = append(b, m[:n]...)
				if !yield(b) {
					return
				}
				b, m = b[:0], m[n:]
			}
			b = append(b, m...)
		}
		w.buffer = b
		yield(b)
	}
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
