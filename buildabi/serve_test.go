package buildabi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// serve serves a handler on a real port until the test ends, and returns its address.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, end := context.WithCancelCause(context.Background()) // that of t ends before the cleanup
	done := make(chan error, 1)
	go func() { done <- buildabi.Serve(ctx, l, h, nil) }()
	t.Cleanup(func() {
		end(errLeft)
		if err := <-done; !errors.Is(err, errLeft) {
			t.Errorf("serving ended with %v", err)
		}
	})
	return l.Addr().String()
}

// exchange sends bytes to an address and returns the responses' status lines, and whether the
// server then closed the connection.
func exchange(t *testing.T, address, text string, responses int) (lines []string, closed bool) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	must(t, err)
	r := bufio.NewReader(c)
	for range responses {
		response, err := http.ReadResponse(r, nil)
		must(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		must(t, err, response.Body.Close())
		lines = append(lines, response.Status)
		closed = response.Close
	}
	if closed {
		_, err = r.ReadByte()
		closed = errors.Is(err, io.EOF)
	}
	return lines, closed
}

func pageHandler() http.Handler {
	return buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page()})
}

// TestPostWithoutLength sends what ends Zig's build runner.
func TestPostWithoutLength(t *testing.T) {
	address := serve(t, pageHandler())
	for range 2 {
		lines, _ := exchange(t, address, "POST / HTTP/1.1\nHost: localhost\n\n", 1)
		if lines[0] != "405 Method Not Allowed" {
			t.Errorf("answered %q", lines)
		}
	}
}

// TestConnectionClose shows that the socket is closed when it is announced.
func TestConnectionClose(t *testing.T) {
	address := serve(t, pageHandler())
	for _, request := range []string{
		"GET / HTTP/1.1\nHost: localhost\nConnection: close\n\n", "GET / HTTP/1.0\nHost: localhost\n\n",
	} {
		if lines, closed := exchange(t, address, request, 1); lines[0] != "200 OK" || !closed {
			t.Errorf("%q: answered %q, closed: %v", request, lines, closed)
		}
	}
}

// TestKeepAlive sends two requests at once, and a head that Zig's server does not take.
func TestKeepAlive(t *testing.T) {
	request := "GET / HTTP/1.1\nHost: localhost\nX-Long: " + strings.Repeat("x", 6000) + "\n\n"
	lines, closed := exchange(t, serve(t, pageHandler()), request+request, 2)
	if fmt.Sprint(lines) != "[200 OK 200 OK]" || closed {
		t.Errorf("answered %q, closed: %v", lines, closed)
	}
}

// TestGarbage sends what is no request.
func TestGarbage(t *testing.T) {
	address := serve(t, pageHandler())
	lines, closed := exchange(t, address, "\x00\x01garbage\n\n", 1)
	if lines[0] != "400 Bad Request" || !closed {
		t.Errorf("answered %q, closed: %v", lines, closed)
	}
	lines, _ = exchange(t, address, "GET / HTTP/1.1\nHost: localhost\n\n", 1)
	if lines[0] != "200 OK" {
		t.Errorf("then answered %q", lines)
	}
}

// pipes is a listener of connections in memory, inside a bubble.
type pipes struct {
	conns  chan net.Conn
	errs   chan error
	closed chan struct{}
}

func newPipes() *pipes {
	return &pipes{conns: make(chan net.Conn), errs: make(chan error, 100), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case err := <-p.errs:
		return nil, err
	default:
	}
	select {
	case err := <-p.errs:
		return nil, err
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close may be called once.
func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects, once the server accepts.
func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// serveBubble serves in a bubble until the returned function is called.
func serveBubble(t *testing.T, h http.Handler, o *buildabi.ServeOptions) (p *pipes, stop func()) {
	p = newPipes()
	ctx, end := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- buildabi.Serve(ctx, p, h, o) }()
	return p, func() {
		t.Helper()
		end(errLeft)
		if err := <-done; !errors.Is(err, errLeft) {
			t.Errorf("serving ended with %v", err)
		}
	}
}

// TestTimeouts shows how long a connection may do nothing.
func TestTimeouts(t *testing.T) {
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, c := range []struct {
		name, says string
		want       time.Duration
	}{
		{"no head", "", 10 * time.Second},
		{"half a head", "GET / HTTP/1.1\r\nHo", 10 * time.Second},
		{"idle", request, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := serveBubble(t, pageHandler(), nil)
				conn := p.dial()
				start := time.Now()
				go io.WriteString(conn, c.says)
				_, err := io.Copy(io.Discard, conn)
				if d := time.Since(start); err != nil || d < c.want || d > c.want+time.Second {
					t.Errorf("closed after %v, %v, want %v", d, err, c.want)
				}
				conn.Close()
				stop()
			})
		})
	}
}

// TestSlowResponses shows that a compilation and a log may take longer than the server's limits.
func TestSlowResponses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(nil)
		b.StartBuild("a")
		slowly, log := io.Pipe()
		h := buildabi.NewHandler(b, &buildabi.HandlerOptions{
			Compile: func(ctx context.Context, debug bool) ([]byte, error) {
				time.Sleep(5 * time.Minute)
				if debug {
					return nil, errors.New("error")
				}
				return make([]byte, 1<<20), ctx.Err()
			},
			StepLog: func(int) (io.ReadCloser, error) { return slowly, nil },
		})
		go func() {
			for range 5 {
				time.Sleep(time.Minute)
				io.WriteString(log, "x")
			}
			log.Close()
		}()
		p, stop := serveBubble(t, h, nil)
		for target, want := range map[string]int64{"/main.wasm": 1 << 20,
			"/debug/main.wasm": 5, "/steps/0/log": 5} {
			conn := p.dial()
			go io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			n, err := io.Copy(io.Discard, response.Body)
			if n != want || err != nil {
				t.Errorf("%s: %d bytes, %v, want %d", target, n, err, want)
			}
			conn.Close()
		}
		stop()
	})
}

// TestServeEnds shows that serving ends with its listener too, and then waits for its handlers.
func TestServeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(time.Minute)
			ended = true
		})
		p := newPipes()
		done := make(chan error, 1)
		go func() { done <- buildabi.Serve(t.Context(), p, h, nil) }()
		conn := p.dial()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		synctest.Wait()
		p.errs <- net.ErrClosed // as after a Close by somebody else
		if err := <-done; !errors.Is(err, net.ErrClosed) || !ended {
			t.Errorf("ended with %v, handler ended: %v", err, ended)
		}
		conn.Close()
	})
}

// TestAcceptErrors shows that serving goes on, and waits longer after each error in a row.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		p := newPipes()
		for range 12 {
			p.errs <- errors.New("too many open files")
		}
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error, 1)
		options := &buildabi.ServeOptions{Log: slog.New(slog.NewTextHandler(&log, nil))}
		go func() { done <- buildabi.Serve(ctx, p, pageHandler(), options) }()
		start := time.Now()
		conn := p.dial()
		if d := time.Since(start); d < 3*time.Second || d > 6*time.Second {
			t.Errorf("accepted after %v", d)
		}
		end()
		<-done
		conn.Close()
		if n := strings.Count(log.String(), "too many open files"); n != 12 {
			t.Errorf("%d errors logged", n)
		}
	})
}

// TestConnectionLimit shows that a connection too many waits, and gets its turn.
func TestConnectionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serveBubble(t, pageHandler(), &buildabi.ServeOptions{Connections: 2})
		first, second := p.dial(), p.dial()
		third := make(chan net.Conn)
		go func() { third <- p.dial() }()
		synctest.Wait()
		select {
		case <-third:
			t.Error("three connections where two may be")
		default:
		}
		first.Close()
		(<-third).Close()
		second.Close()
		stop()
	})
}
