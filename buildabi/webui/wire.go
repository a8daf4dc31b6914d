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

// wire is the connection below a WebSocket, to which passes go too. The WebSocket's own frames, pings and what answers
// them, have no time to wait for the end of a long pass: they are kept and follow it.
type wire struct {
	net.Conn
	turn chan struct{} // holds something while somebody writes

	mu   sync.Mutex
	kept []byte
}

const (
	// maxOwn bounds the WebSocket's own frames that are kept.
	maxOwn = 4 << 10
	// moment is how long a Write of them waits for the end of a pass: after the one that says goodbye the WebSocket
	// may close the connection.
	moment = time.Second
)

var errOwn = errors.New("too many pings")

// Write sends whole frames of the WebSocket's own, or leaves them to whoever is writing.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	room := len(w.kept)+len(b) <= maxOwn
	if room {
		w.kept = append(w.kept, b...)
	}
	w.mu.Unlock()
	if !room {
		return 0, errOwn
	}
	if err := w.flush(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// flush sends what is kept. Who is writing for longer than a moment does so after that.
func (w *wire) flush() error {
	for w.keeps() {
		select {
		case w.turn <- struct{}{}:
		case <-time.After(moment):
			return nil
		}
		err := w.sendKept()
		<-w.turn
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *wire) keeps() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.kept) > 0
}

func (w *wire) sendKept() error {
	w.mu.Lock()
	b := w.kept
	w.kept = nil
	w.mu.Unlock()
	if len(b) == 0 {
		return nil
	}
	if err := w.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := w.Conn.Write(b)
	return err
}

// alone calls write while nobody else writes, and sends what was kept meanwhile. Where write fails a frame may be cut
// short, and nothing may come after it: the connection is closed.
func (w *wire) alone(ctx context.Context, write func() error) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	err := write()
	if err != nil {
		w.Close()
	}
	<-w.turn
	return errors.Join(err, w.flush())
}

// hijacker is a response that keeps the connection once it is upgraded.
type hijacker struct {
	http.ResponseWriter
	wire *wire
}

// Hijack hands over the connection.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	keepLittle(c)
	h.wire.Conn = c
	buffered.Writer.Reset(h.wire)
	return h.wire, buffered, nil
}

// sendBuffer is what the system keeps for a client, as with [buildabi.Serve]: a host may have a server of its own.
const sendBuffer = 64 << 10

func keepLittle(c net.Conn) {
	if secure, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = secure.NetConn()
	}
	if b, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
		b.SetWriteBuffer(sendBuffer) // as good as it goes
	}
}
