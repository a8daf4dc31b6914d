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
	"os"
	"strings"
	"testing"
	"testing/fstest"
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
		{"half a body", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
			30 * time.Second},
		{"idle", request, 2 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					io.Copy(io.Discard, r.Body)
				})
				p, stop := serveBubble(t, h, nil)
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

// TestTakesNothing shows how long a client may take nothing of a response.
func TestTakesNothing(t *testing.T) {
	big := make([]byte, 1<<20)
	for name, c := range map[string]struct {
		h    http.Handler
		want time.Duration
	}{
		"any handler": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(big) }),
			time.Minute},
		"file": {buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{
			Files: fstest.MapFS{"index.html": {Data: big}}}), 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, stop := serveBubble(t, c.h, nil)
				conn := p.dial()
				start := time.Now()
				_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
				must(t, err)
				_, err = io.WriteString(conn, "more than is read ahead") // returns when it is closed
				if d := time.Since(start); !errors.Is(err, io.ErrClosedPipe) || d != c.want {
					t.Errorf("closed after %v, %v, want %v", d, err, c.want)
				}
				stop()
			})
		})
	}
}

// TestTakesSlowly shows that a client may take as long as it likes while it takes something.
func TestTakesSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serveBubble(t, buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{
			Files: fstest.MapFS{"index.html": {Data: make([]byte, 1<<20)}}}), nil)
		conn := p.dial()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		must(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		for range 32 {
			time.Sleep(4 * time.Second)
			_, err := io.CopyN(io.Discard, response.Body, 1<<15)
			must(t, err)
		}
		conn.Close()
		stop()
	})
}

// TestSendBuffer shows that what waits for a client that takes nothing is little: how steadily a client takes a response
// is seen by what fits in.
func TestSendBuffer(t *testing.T) {
	taken := make(chan int, 1)
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			err = conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		}
		n, written := conn.Write(make([]byte, 32<<20))
		if err != nil || !errors.Is(written, os.ErrDeadlineExceeded) {
			t.Errorf("%v, %v", err, written)
		}
		conn.Close()
		taken <- n
	}))
	c, err := net.Dial("tcp", address)
	must(t, err)
	defer c.Close()
	must(t, c.(*net.TCPConn).SetReadBuffer(32<<10))
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	must(t, err)
	if n := <-taken; n > 1<<20 {
		t.Errorf("%d bytes wait", n)
	}
}

// TestHugeHead sends a head that nobody needs.
func TestHugeHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serveBubble(t, pageHandler(), nil)
		conn := p.dial()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: "+
			strings.Repeat("x", 20<<10)+"\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		if response.StatusCode != 431 {
			t.Errorf("answered %s", response.Status)
		}
		conn.Close()
		stop()
	})
}

// TestPanicIsLogged shows where the fault of one connection is told.
func TestPanicIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no disk") })
		p, stop := serveBubble(t, h,
			&buildabi.ServeOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
		conn := p.dial()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, err := io.Copy(io.Discard, conn)
		must(t, err, conn.Close())
		stop()
		if !strings.Contains(log.String(), "no disk") {
			t.Errorf("logged %q", log.String())
		}
	})
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
			time.Sleep(time.Minute)
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
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			upgraded, _, err := w.(http.Hijacker).Hijack()
			must(t, err)
			<-r.Context().Done()
			time.Sleep(time.Minute)
			must(t, upgraded.Close())
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

// TestLastResponses shows that a response may take one second more when serving ends.
func TestLastResponses(t *testing.T) {
	for late, want := range map[time.Duration]int64{time.Second / 2: 4, time.Minute: 0} {
		synctest.Test(t, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				must(t, http.NewResponseController(w).Flush())
				<-r.Context().Done()
				time.Sleep(late)
				io.WriteString(w, "late")
			})
			p, stop := serveBubble(t, h, nil)
			conn := p.dial()
			go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			start, stopped := time.Now(), make(chan bool)
			go func() {
				stop()
				close(stopped)
			}()
			n, err := io.Copy(io.Discard, response.Body)
			if d := time.Since(start); n != want || (err == nil) != (want > 0) || d > time.Second {
				t.Errorf("%v late: %d bytes after %v, %v", late, n, d, err)
			}
			conn.Close()
			<-stopped
		})
	}
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
		conn.Close()
		p.errs <- errors.New("too many open files")
		p.errs <- errors.New("too many open files")
		synctest.Wait() // it waits before it accepts again
		start = time.Now()
		end()
		<-done
		if d := time.Since(start); d > 0 {
			t.Errorf("ended %v late", d)
		}
		if n := strings.Count(log.String(), "too many open files"); n != 13 {
			t.Errorf("%d errors logged", n)
		}
	})
}

// TestConnectionLimit shows that a connection too many waits, and gets its turn, and that serving
// ends with all of them in use.
func TestConnectionLimit(t *testing.T) {
	for given, limit := range map[int]int{2: 2, 0: 256} {
		synctest.Test(t, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				upgraded, _, err := w.(http.Hijacker).Hijack()
				must(t, err, upgraded.Close())
				upgraded.Close() // makes no room a second time
			})
			p, stop := serveBubble(t, h, &buildabi.ServeOptions{Connections: given})
			var conns []net.Conn
			for range limit {
				conns = append(conns, p.dial())
			}
			more := make(chan net.Conn, 2)
			go func() {
				more <- p.dial()
				more <- p.dial() // waits to the end
			}()
			for want := range 2 {
				synctest.Wait()
				if len(more) != want {
					t.Errorf("%d connections where %d may be", limit+len(more)-want, limit)
				}
				if want == 0 {
					_, err := io.WriteString(conns[0], "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
					must(t, err)
				}
			}
			start := time.Now()
			stop()
			if d := time.Since(start); d > time.Second {
				t.Errorf("ended after %v", d)
			}
			for _, c := range append(conns, <-more) {
				c.Close()
			}
			<-p.conns
			(<-more).Close()
		})
	}
}

// TestQuietLog shows that a log may end without a byte, long after it was asked for.
func TestQuietLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(nil)
		b.StartBuild("a")
		slowly, log := io.Pipe()
		p, stop := serveBubble(t, buildabi.NewHandler(b, &buildabi.HandlerOptions{
			StepLog: func(int) (io.ReadCloser, error) { return slowly, nil },
		}), nil)
		time.AfterFunc(5*time.Minute, func() { log.Close() })
		conn := p.dial()
		go io.WriteString(conn, "GET /steps/0/log HTTP/1.1\r\nHost: localhost\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		if got, err := io.ReadAll(response.Body); len(got) > 0 || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		conn.Close()
		stop()
	})
}
