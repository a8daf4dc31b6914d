package webui_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// slow is a connection over which so many bytes a second come, and no more.
type slow struct {
	net.Conn
	rate int
}

func (c *slow) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 4<<10)])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

// large is more than any connection holds: a build with it makes a Hello of 8 MiB.
var large = strings.Repeat("x", 8<<20)

// serveSlowly is serveOne for a client that gets so many bytes a second, and is being told of a large build.
func serveSlowly(t *testing.T, rate int) (board *buildabi.Board, c *raw, end func() <-chan error) {
	board = buildabi.NewBoard(nil)
	ours, end := serveOne(t, board)
	c = handshake(t, &slow{ours, rate}, upgrade)
	board.StartBuild(large)
	return board, c, end
}

// TestSteadyClient shows that a client may take as long as it likes for a large message while it takes some of it, and
// that no pings gather before the end of that.
func TestSteadyClient(t *testing.T) {
	for rate, pings := range map[int]int{640_000: 6, 100_000: 2} {
		synctest.Test(t, func(t *testing.T) {
			board, c, end := serveSlowly(t, rate)
			start, got := time.Now(), 0
			if _, hello := c.frame(); len(hello) < len(large) {
				t.Errorf("the first message has %d bytes", len(hello))
			}
			took := time.Duration(len(large)) * time.Second / time.Duration(rate)
			if d := time.Since(start); d < took || d > took+time.Second {
				t.Errorf("it took %v", d)
			}
			for ; time.Since(start) < 110*time.Second; got++ {
				first, payload := c.frame()
				if first != 0x89 {
					t.Errorf("frame %x", first)
				}
				c.send(0x8a, string(payload))
			}
			if got != pings {
				t.Errorf("%d pings", got)
			}
			board.StartBuild("a")
			if first, b := c.frame(); first != 0x82 || len(b) == 0 {
				t.Errorf("then %x %q", first, b)
			}
			c.conn.Close()
			<-end()
		})
	}
}

// wantEnd takes all that comes until the server ends the connection, which it is to do between two times from now.
func (c *raw) wantEnd(t *testing.T, from, by time.Duration) {
	t.Helper()
	start := time.Now()
	n, err := io.Copy(io.Discard, c.r)
	if d := time.Since(start); d < from || d > by {
		t.Errorf("ended after %v with %d bytes, %v", d, n, err)
	}
}

// TestDrip shows that a client that takes a byte now and then is dropped as one is that takes nothing.
func TestDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := serveSlowly(t, 10_000)
		c.wantEnd(t, 4*time.Second, 6*time.Second)
		c.conn.Close()
		<-end()
	})
}

// TestEndsDuringPass ends a server whose client takes a large message slowly.
func TestEndsDuringPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := serveSlowly(t, 100_000)
		time.AfterFunc(10*time.Second, func() { end() })
		c.wantEnd(t, 10*time.Second, 12*time.Second)
		c.conn.Close()
		<-end()
	})
}

// TestPingsDuringPass shows that a client that asks for signs of life gets them after the message that it is taking.
func TestPingsDuringPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := serveSlowly(t, 640_000)
		time.AfterFunc(time.Second, func() { c.send(0x89, "one") })
		time.AfterFunc(8*time.Second, func() { c.send(0x89, "two") })
		c.frame()
		start := time.Now()
		for _, want := range []string{"one", "two"} {
			first, payload := c.frame()
			if d := time.Since(start); first != 0x8a || string(payload) != want || d > time.Second {
				t.Errorf("%s is answered with %x %q after %v", want, first, payload, d)
			}
		}
		c.conn.Close()
		<-end()
	})
}

// TestManyPingsDuringPass shows that what is kept for the end of a message is bounded.
func TestManyPingsDuringPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := serveSlowly(t, 20_000)
		gone := make(chan struct{})
		go func() { // ends with the connection
			io.Copy(io.Discard, c.r)
			close(gone)
		}()
		ping := append([]byte{0x89, 0x80 | 125}, make([]byte, 4+125)...)
		sent := 0
		for err := error(nil); err == nil && sent < 100; sent++ {
			_, err = c.conn.Write(ping)
		}
		if sent < 30 || sent > 40 {
			t.Errorf("%d pings were taken", sent)
		}
		c.conn.Close()
		<-gone
		<-end()
	})
}

// TestGoodbyeDuringPass shows that a client that leaves just before the end of a message is told goodbye after it.
func TestGoodbyeDuringPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, end := serveSlowly(t, 640_000)
		time.AfterFunc(12600*time.Millisecond, func() { c.send(0x88, "\x03\xe8") }) // half a second before
		if _, hello := c.frame(); len(hello) < len(large) {
			t.Errorf("the message has %d bytes", len(hello))
		}
		if code := c.closed(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
		c.conn.Close()
		<-end()
	})
}
