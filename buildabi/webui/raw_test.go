package webui_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

var errStopped = errors.New("stopped")

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// server is a board that is being served on a real port.
type server struct {
	board   *buildabi.Board
	address string
	stop    context.CancelCauseFunc
	done    chan error
	writes  *counter
}

// counter counts the writes of a server's connections.
type counter struct {
	net.Listener
	mu    sync.Mutex
	sizes []int
}

type countedConn struct {
	net.Conn
	counter *counter
}

func (c *counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	return &countedConn{conn, c}, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.counter.mu.Lock()
	c.counter.sizes = append(c.counter.sizes, len(b))
	c.counter.mu.Unlock()
	return c.Conn.Write(b)
}

// take returns the sizes of the writes since the last call.
func (c *counter) take() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sizes := c.sizes
	c.sizes = nil
	return sizes
}

func serve(t *testing.T, version buildabi.Version) *server {
	t.Helper()
	return serveWith(t, version, nil)
}

func serveWith(t *testing.T, version buildabi.Version, o *buildabi.HandlerOptions) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &server{
		board:   buildabi.NewBoard(&buildabi.BoardOptions{Version: version, TimeReport: true}),
		address: l.Addr().String(), done: make(chan error, 1), writes: &counter{Listener: l},
	}
	ctx, stop := context.WithCancelCause(context.Background())
	s.stop = stop
	go func() { s.done <- buildabi.Serve(ctx, s.writes, webui.Handler(s.board, o), nil) }()
	t.Cleanup(func() { s.end(t) })
	return s
}

// end stops serving and waits for that.
func (s *server) end(t *testing.T) {
	s.stop(errStopped)
	err := <-s.done
	if s.done <- err; !errors.Is(err, errStopped) { // for those who ask again
		t.Errorf("serving ended with %v", err)
	}
}

// raw is a client that sees every byte.
type raw struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	head *http.Response
}

const upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\n" +
	"Upgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// handshake upgrades a connection.
func handshake(t *testing.T, conn net.Conn, request string) *raw {
	t.Helper()
	_, err := io.WriteString(conn, request)
	must(t, err)
	c := &raw{t: t, conn: conn, r: bufio.NewReader(conn)}
	c.head, err = http.ReadResponse(c.r, nil)
	must(t, err)
	return c
}

func dialRaw(t *testing.T, s *server) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", s.address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return handshake(t, conn, upgrade)
}

// frame is one frame from the server; it must have the shortest form of its length.
func (c *raw) frame() (first byte, payload []byte) {
	c.t.Helper()
	head := make([]byte, 2)
	_, err := io.ReadFull(c.r, head)
	must(c.t, err)
	n := uint64(head[1]) // with the mask bit, which would make it too long
	switch n {
	case 126:
		more := make([]byte, 2)
		_, err = io.ReadFull(c.r, more)
		if n = uint64(binary.BigEndian.Uint16(more)); n < 126 {
			c.t.Errorf("length %d in 16 bits", n)
		}
	case 127:
		more := make([]byte, 8)
		_, err = io.ReadFull(c.r, more)
		if n = binary.BigEndian.Uint64(more); n < 1<<16 {
			c.t.Errorf("length %d in 64 bits", n)
		}
	}
	must(c.t, err)
	payload = make([]byte, n)
	_, err = io.ReadFull(c.r, payload)
	must(c.t, err)
	return head[0], payload
}

// send sends a masked frame of up to 65535 bytes, with a mask of zeros.
func (c *raw) send(first byte, payload string) {
	c.t.Helper()
	b := []byte{first, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}
	if len(payload) < 126 {
		b = []byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}
	}
	_, err := c.conn.Write(append(b, payload...))
	must(c.t, err)
}

// closed reads up to the frame that closes the session and returns its code.
func (c *raw) closed() int {
	c.t.Helper()
	for {
		first, payload := c.frame()
		if first == 0x88 {
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}

func TestHandshake(t *testing.T) {
	s := serve(t, buildabi.V1)
	want := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}}
	for _, more := range []string{"", "Sec-WebSocket-Extensions: permessage-deflate\r\n"} {
		conn, err := net.Dial("tcp", s.address)
		must(t, err)
		c := handshake(t, conn, strings.Replace(upgrade, "Host:", more+"Host:", 1))
		if c.head.Status != "101 Switching Protocols" || !reflect.DeepEqual(c.head.Header, want) {
			t.Errorf("%q: %s, %v", more, c.head.Status, c.head.Header)
		}
		must(t, conn.Close())
	}
}
