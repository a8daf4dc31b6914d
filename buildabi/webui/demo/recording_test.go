package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/larderbuild/larder/buildabi"
)

const recordings = "../../testdata/recordings/"

// TestReplay plays a build of a real Zig to two clients, who click.
func TestReplay(t *testing.T) {
	file := recordings + "plain-0.15.1.jsonl.gz"
	want, err := readRecording(file)
	must(t, err)
	address, stop := start(t, "-replay", file, "-speed", "1e6")
	for range 2 {
		c := dial(t, address, buildabi.V1)
		must(t, c.Rebuild(t.Context()))
		for i, w := range want {
			got, err := next(t, c).AppendBinary(nil)
			if must(t, err); !bytes.Equal(got, w.message) {
				t.Errorf("message %d: %x, want %x", i, got, w.message)
			}
		}
		must(t, c.Close())
	}
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestReplayEnds shows that the end of the command ends a replay that goes on.
func TestReplayEnds(t *testing.T) {
	address, stop := start(t, "-replay", recordings+"plain-0.16.0.jsonl.gz", "-speed", "1e-6")
	c := dial(t, address, buildabi.V3)
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, _, err := c.Next(t.Context()); err == nil {
		if _, _, err = c.Next(t.Context()); err == nil {
			t.Error("it goes on")
		}
	}
	c.Close()
}

// TestLog shows that a reader gets what is written while it reads, until the end.
func TestLog(t *testing.T) {
	var all logs
	log := all.start(1)[0]
	r, err := all.open(0)
	must(t, err)
	defer r.Close()
	io.WriteString(log, "one ")
	b := make([]byte, 10)
	if n, err := r.Read(b); string(b[:n]) != "one " || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	read := make(chan string)
	go func() { // until the log ends
		rest, _ := io.ReadAll(r)
		read <- string(rest)
	}()
	io.WriteString(log, "two")
	log.end()
	if got := <-read; got != "two" {
		t.Errorf("the rest is %q", got)
	}
	if _, err := all.open(1); err == nil {
		t.Error("a log of no step")
	}
}

// TestLogClose shows that closing ends a read that waits.
func TestLogClose(t *testing.T) {
	var all logs
	all.start(1)
	r, err := all.open(0)
	must(t, err)
	done := make(chan error)
	go func() { // until the reader is closed
		_, err := r.Read(make([]byte, 1))
		done <- err
	}()
	must(t, r.Close(), r.Close())
	if err := <-done; err == nil {
		t.Error("read from a closed log")
	}
}

// TestLogBound shows that a log does not grow without end.
func TestLogBound(t *testing.T) {
	log := newStepLog()
	for range 3 {
		if n, err := log.Write(make([]byte, maxLog/2+1)); n != maxLog/2+1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if len(log.text) != maxLog {
		t.Errorf("%d bytes are kept", len(log.text))
	}
}

// TestReplayTimes shows that messages come at their recorded times, or so many times as fast.
func TestReplayTimes(t *testing.T) {
	frames := []sent{{0, []byte{1}}, {3 * time.Second, []byte{2}}, {10 * time.Second, []byte{3}}}
	for _, speed := range []float64{1, 2, 0.5} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			h := &player{frames, speed, slog.New(slog.DiscardHandler)}
			go http.Serve(&oneConn{theirs}, h) // until the connection is closed
			ws, _, err := websocket.Dial(t.Context(), "ws://demo/", &websocket.DialOptions{
				HTTPClient: &http.Client{Transport: &http.Transport{
					DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil }}}})
			must(t, err)
			for start, i := time.Now(), 0; i < len(frames); i++ {
				_, b, err := ws.Read(t.Context())
				must(t, err)
				want := time.Duration(float64(frames[i].at) / speed)
				if d := time.Since(start); !bytes.Equal(b, frames[i].message) || d != want {
					t.Errorf("%x after %v, want %x after %v", b, d, frames[i].message, want)
				}
			}
			must(t, ws.Close(websocket.StatusNormalClosure, ""))
		})
	}
}

// oneConn is a listener with one connection.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
