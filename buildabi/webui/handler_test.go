package webui_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// TestOneWritePerPass shows that a pass is one call of the system, and still a frame a message.
func TestOneWritePerPass(t *testing.T) {
	s := serve(t, buildabi.V1)
	steps := make([]string, 200)
	s.board.StartBuild(steps...)
	c := dialRaw(t, s)
	first, hello := c.frame()
	if m, err := buildabi.Parse(buildabi.V1, hello); err != nil || first != 0x82 {
		t.Errorf("first frame %x, %v, %v", first, m, err)
	}
	u := s.board.StartBuild(append(steps, "more")...) // all at once, as far as the board sees it
	c.frame()
	s.writes.take()
	for i := range 100 {
		must(t, u.SetStep(i, buildabi.Running))
	}
	must(t, u.ReportCompile(7, &buildabi.CompileResult{PassTimings: strings.Repeat("x", 70_000)}))
	for i := range 101 {
		first, b := c.frame()
		m, err := buildabi.Parse(buildabi.V1, b)
		if first != 0x82 || err != nil {
			t.Errorf("frame %d: %x, %v, %v", i, first, m, err)
		}
	}
	if sizes := s.writes.take(); len(sizes) > 2 {
		t.Errorf("%d writes for the one or two passes: %v", len(sizes), sizes)
	}
}

// TestCloseCodes shows how a session ends for what the client sends.
func TestCloseCodes(t *testing.T) {
	s := serve(t, buildabi.V1)
	s.board.StartBuild("a")
	for _, c := range []struct {
		name, payload string
		first         byte
		code          int
	}{
		{"text", "hello", 0x81, 1003},
		{"unknown tag", "\x01", 0x82, 1008},
		{"too big", strings.Repeat("\x00", 5000), 0x82, 1009},
		{"too big before it ends", strings.Repeat("\x00", 5000), 0x02, 1009},
		{"reserved bit", "\x00", 0xc2, 1002},
		{"reserved kind", "\x00", 0x83, 1002},
		{"goodbye", "\x03\xe8", 0x88, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := dialRaw(t, s)
			client.send(c.first, c.payload)
			if got := client.closed(); got != c.code {
				t.Errorf("closed with %d, want %d", got, c.code)
			}
			client.conn.Close()
		})
	}
	if s.board.Poll() {
		t.Error("one of them was a click")
	}
}

// TestUnmasked shows that a client that does not mask is not listened to.
func TestUnmasked(t *testing.T) {
	s := serve(t, buildabi.V1)
	c := dialRaw(t, s)
	_, err := c.conn.Write([]byte{0x82, 1, 0})
	must(t, err)
	if b, err := io.ReadAll(c.r); err != nil || s.board.Poll() {
		t.Errorf("read %x, %v", b, err)
	}
}

// TestRequests shows what is a click: also a message in parts, which Zig's server gives up at.
func TestRequests(t *testing.T) {
	s := serve(t, buildabi.V1)
	c := dialRaw(t, s)
	for name, send := range map[string]func(){
		"plain":    func() { c.send(0x82, "\x00") },
		"longer":   func() { c.send(0x82, strings.Repeat("\x00", 4096)) },
		"in parts": func() { c.send(0x02, "\x00"); c.send(0x80, "\x01") },
		"after nothing and a ping": func() {
			c.send(0x82, "")
			c.send(0x89, "are you there?")
			if first, payload := c.frame(); first != 0x8a || string(payload) != "are you there?" {
				t.Errorf("a ping is answered with %x %q", first, payload)
			}
			c.send(0x82, "\x00")
		},
	} {
		send()
		if err := s.board.WaitRebuild(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestServerEnds shows that clients are told when the server goes.
func TestServerEnds(t *testing.T) {
	s := serve(t, buildabi.V1)
	s.board.StartBuild("a")
	c := dialRaw(t, s)
	c.frame()
	go s.stop(errStopped)
	if code := c.closed(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	c.send(0x88, "\x03\xe9")
	s.end(t)
}

// TestForeignPage shows that the checks of the handler come first.
func TestForeignPage(t *testing.T) {
	s := serve(t, buildabi.V1)
	conn, err := net.Dial("tcp", s.address)
	must(t, err)
	defer conn.Close()
	request := strings.Replace(upgrade, "Host:", "Origin: http://evil.example\r\nHost:", 1)
	if c := handshake(t, conn, request); c.head.StatusCode != 403 {
		t.Errorf("%s", c.head.Status)
	}
}

// TestKnownOrigin shows that a page of another origin can be let in.
func TestKnownOrigin(t *testing.T) {
	s := serveWith(t, buildabi.V1, &buildabi.HandlerOptions{Origins: []string{"https://ci.example"}})
	conn, err := net.Dial("tcp", s.address)
	must(t, err)
	defer conn.Close()
	request := strings.Replace(upgrade, "Host:", "Origin: https://ci.example\r\nHost:", 1)
	if c := handshake(t, conn, request); c.head.StatusCode != 101 {
		t.Errorf("%s", c.head.Status)
	}
}

// TestFrameLengths shows the messages around those where the form of the length changes.
func TestFrameLengths(t *testing.T) {
	s := serve(t, buildabi.V1)
	c := dialRaw(t, s)
	const other = 21 // bytes of a Hello with one step, besides its name
	for _, n := range []int{125, 126, 127, 1<<16 - 1, 1 << 16, 1<<16 + 1} {
		s.board.StartBuild(strings.Repeat("x", n-other))
		for {
			first, b := c.frame()
			if m, err := buildabi.Parse(buildabi.V1, b); first != 0x82 || err != nil {
				t.Fatalf("%d bytes: frame %x, %v, %v", n, first, m, err)
			}
			if len(b) == n {
				break
			}
		}
	}
}

// TestBadHandshake shows that a request that is none is answered, and harms nobody.
func TestBadHandshake(t *testing.T) {
	s := serve(t, buildabi.V1)
	for name, change := range map[string][2]string{
		"no key":        {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""},
		"other version": {"Version: 13", "Version: 8"},
		"no connection": {"Connection: Upgrade\r\n", ""},
	} {
		conn, err := net.Dial("tcp", s.address)
		must(t, err)
		c := handshake(t, conn, strings.Replace(upgrade, change[0], change[1], 1))
		if c.head.StatusCode < 400 || c.head.StatusCode >= 500 {
			t.Errorf("%s: %s", name, c.head.Status)
		}
		conn.Close()
	}
	dialRaw(t, s)
}

// oneConn is a listener that has one connection, in memory.
type oneConn struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// serveOne serves a board to one connection. The function it returns has the server end, and the channel of that gets
// something when it has.
func serveOne(t *testing.T, board *buildabi.Board) (ours net.Conn, end func() <-chan error) {
	ours, theirs := net.Pipe()
	l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
	l.conns <- theirs
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- buildabi.Serve(ctx, l, webui.Handler(board, nil), nil) }()
	return ours, func() <-chan error { stop(); return done }
}

// TestPing shows that a client is pinged, also long after it has been told anything, and dropped if
// it does not answer.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := buildabi.NewBoard(nil)
		board.StartBuild("a")
		ours, end := serveOne(t, board)
		c := handshake(t, ours, upgrade)
		start := time.Now()
		c.frame() // Hello
		for i := 1; i <= 3; i++ {
			first, payload := c.frame()
			if d := time.Since(start); first != 0x89 || d != time.Duration(i)*20*time.Second {
				t.Errorf("frame %x after %v", first, d)
			}
			if i < 3 {
				c.send(0x8a, string(payload))
			}
		}
		_, err := c.r.ReadByte()
		if d := time.Since(start); err == nil || d != 70*time.Second {
			t.Errorf("dropped after %v, %v", d, err)
		}
		ours.Close()
		<-end()
	})
}

// TestStalledClient shows that a client that takes nothing is dropped after 5 s.
func TestStalledClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := buildabi.NewBoard(nil)
		ours, end := serveOne(t, board)
		handshake(t, ours, upgrade)
		board.StartBuild("a")
		time.Sleep(4900 * time.Millisecond)
		if _, err := ours.Write(nil); err != nil {
			t.Errorf("dropped too early: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
		if _, err := ours.Read(make([]byte, 1)); err == nil {
			t.Error("not dropped")
		}
		ours.Close()
		<-end()
	})
}

// TestClient follows a build with Dial, and asks for another.
func TestClient(t *testing.T) {
	for _, v := range []buildabi.Version{buildabi.V1, buildabi.V3} {
		s := serve(t, v)
		u := s.board.StartBuild("a", "b")
		must(t, u.ReportTime(0, time.Second))
		c, err := webui.Dial(t.Context(), "http://"+s.address+"/", &webui.DialOptions{Version: v})
		must(t, err)
		next := func() buildabi.Message {
			t.Helper()
			m, findings, err := c.Next(t.Context())
			if err != nil || len(findings) > 0 {
				t.Fatalf("%v, findings %q, %v", m, findings, err)
			}
			return m
		}
		if m, ok := next().(*buildabi.Hello); !ok || len(m.Steps) != 2 || !m.TimeReport {
			t.Errorf("began with %+v", m)
		}
		if m, ok := next().(*buildabi.GenericResult); !ok || m.Total != 1e9 {
			t.Errorf("then %+v", m)
		}
		must(t, c.Rebuild(t.Context()), s.board.WaitRebuild(t.Context()))
		s.board.StartBuild(strings.Split(strings.Repeat("step ", 20_000), " ")...)
		if m, ok := next().(*buildabi.Hello); !ok || len(m.Steps) != 20_001 {
			t.Errorf("then %T", m)
		}
		must(t, c.Close())
		if _, _, err := c.Next(t.Context()); err == nil {
			t.Error("a message after Close")
		}
		if err := c.Rebuild(t.Context()); err == nil {
			t.Error("a click after Close")
		}
	}
}

// TestClientGoesOn shows what a client does with a message of another version.
func TestClientGoesOn(t *testing.T) {
	s := serve(t, buildabi.V3)
	u := s.board.StartBuild("a")
	c, err := webui.Dial(t.Context(), "ws://"+s.address, nil)
	must(t, err)
	_, _, err = c.Next(t.Context())
	must(t, err)
	must(t, u.ReportTests(0, &buildabi.RunTestResult{}))
	if _, _, err = c.Next(t.Context()); !isMessageError(err) {
		t.Errorf("a test result for a V1 client: %v", err)
	}
	must(t, u.SetStep(0, buildabi.Failure))
	if m, _, err := c.Next(t.Context()); err != nil {
		t.Errorf("after it %v, %v", m, err)
	}
	must(t, c.Close())
}

// TestClientFindings shows that a client tells what is wrong with a message, and takes one of text
// as Zig's client does.
func TestClientFindings(t *testing.T) {
	s := serveWith(t, buildabi.V3, &buildabi.HandlerOptions{
		Connect: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer ws.CloseNow()
			early, _ := (&buildabi.RunTestResult{Step: 1}).AppendBinary(nil)
			ws.Write(r.Context(), websocket.MessageBinary, early)
			ws.Write(r.Context(), websocket.MessageText, early)
			ws.Read(r.Context()) // until the client goes
		})})
	c, err := webui.Dial(t.Context(), "http://"+s.address, &webui.DialOptions{Version: buildabi.V3})
	must(t, err)
	m, findings, err := c.Next(t.Context())
	if _, ok := m.(*buildabi.RunTestResult); !ok || err != nil || len(findings) == 0 {
		t.Errorf("%v, %v, %v", m, findings, err)
	}
	if m, _, err := c.Next(t.Context()); !isMessageError(err) {
		t.Errorf("text is %v, %v", m, err)
	}
	c.Close()
}

func isMessageError(err error) bool {
	_, ok := errors.AsType[*buildabi.MessageError](err)
	return ok
}

func TestDialRefused(t *testing.T) {
	s := serve(t, buildabi.V1)
	_, err := webui.Dial(t.Context(), "http://"+s.address+"/", &webui.DialOptions{
		Header: map[string][]string{"Origin": {"http://evil.example"}}})
	if err == nil || !strings.Contains(err.Error(), "403") || !strings.Contains(err.Error(), "pages of another origin") {
		t.Errorf("dialled: %v", err)
	}
}

// TestLimit shows that a client bounds what it takes.
func TestLimit(t *testing.T) {
	s := serve(t, buildabi.V1)
	s.board.StartBuild(string(bytes.Repeat([]byte("x"), 100)))
	c, err := webui.Dial(t.Context(), "http://"+s.address+"/", &webui.DialOptions{Limit: 100})
	must(t, err)
	if m, _, err := c.Next(t.Context()); err == nil {
		t.Errorf("took %v", m)
	}
	c.Close()
}

// TestGoodbyeEnds has clients that are told why their session ends answer with the head of a frame that never comes.
func TestGoodbyeEnds(t *testing.T) {
	for name, say := range map[string]func(c *raw, stop func()) int{
		"text":       func(c *raw, stop func()) int { c.send(0x81, "text"); return buildabi.CloseUnsupported },
		"server end": func(c *raw, stop func()) int { stop(); return 1001 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				board := buildabi.NewBoard(nil)
				board.StartBuild("a")
				ours, end := serveOne(t, board)
				c := handshake(t, ours, upgrade)
				c.frame() // Hello
				want := say(c, func() { end() })
				if code := c.closed(); code != want {
					t.Errorf("closed with %d", code)
				}
				start := time.Now()
				head := binary.BigEndian.AppendUint64([]byte{0x82, 0x80 | 127}, 1<<40)
				_, err := ours.Write(append(head, 0, 0, 0, 0))
				must(t, err)
				<-end()
				if d := time.Since(start); d > 10*time.Second {
					t.Errorf("ended after %v", d)
				}
				ours.Close()
			})
		})
	}
}
