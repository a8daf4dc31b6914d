package gocacheprog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// client is the go command's side of a session in this process.
type client struct {
	t    *testing.T
	w    *io.PipeWriter
	dec  *json.Decoder
	id   int64
	log  *logbook
	done chan error // what Serve returned
}

// logbook is a log that can be read while it is written.
type logbook struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts a session; the announcement is still to be read.
func serve(t *testing.T, open gocacheprog.Opener, o gocacheprog.Options) *client {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := &client{t: t, w: inW, dec: json.NewDecoder(outR), log: new(logbook), done: make(chan error, 1)}
	o.Logger = slog.New(slog.NewTextHandler(c.log, nil))
	go func() {
		c.done <- gocacheprog.Serve(context.Background(), inR, outW, open, &o)
		outW.Close()
		inR.Close()
	}()
	t.Cleanup(func() { inW.Close(); io.Copy(io.Discard, outR) })
	return c
}

// begin starts a session and reads the announcement.
func begin(t *testing.T, open gocacheprog.Opener, o gocacheprog.Options) *client {
	t.Helper()
	c := serve(t, open, o)
	if r := c.receive(); r.ID != 0 || fmt.Sprint(r.KnownCommands) != "[get put close]" {
		t.Fatalf("announced %+v", r)
	}
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.w, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) receive() gocacheprog.Response {
	c.t.Helper()
	var r gocacheprog.Response
	if err := c.dec.Decode(&r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *client) line(command string, action gocacheprog.ID) string {
	c.id++
	line, err := json.Marshal(map[string]any{"ID": c.id, "Command": command, "ActionID": action[:]})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(line) + "\n\n"
}

// get asks for action and returns the answer.
func (c *client) get(action gocacheprog.ID) gocacheprog.Response {
	c.t.Helper()
	c.send(c.line("get", action))
	return c.answer()
}

// answer receives the answer to the last request.
func (c *client) answer() gocacheprog.Response {
	c.t.Helper()
	r := c.receive()
	if r.ID != c.id {
		c.t.Fatalf("answered %+v, want the answer to %d", r, c.id)
	}
	return r
}

func (c *client) putLine(action gocacheprog.ID, body []byte) string {
	c.id++
	output := sha256.Sum256(body)
	line, err := json.Marshal(map[string]any{
		"ID": c.id, "Command": "put", "ActionID": action[:], "OutputID": output[:], "BodySize": len(body),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return string(line) + "\n\n"
}

// put sends body and returns the answer.
func (c *client) put(action gocacheprog.ID, body []byte) gocacheprog.Response {
	c.t.Helper()
	c.send(c.putLine(action, body))
	if len(body) > 0 {
		c.send(bodyLine(body))
	}
	return c.answer()
}

// end ends the conversation as the go command does and returns what Serve did.
func (c *client) end() error {
	c.t.Helper()
	c.id++
	c.send(fmt.Sprintf("{\"ID\":%d,\"Command\":\"close\"}\n\n", c.id))
	if r := c.answer(); r.Err != "" {
		c.t.Errorf("close was answered with an error: %s", r.Err)
	}
	c.w.Close()
	return <-c.done
}

// wantKept checks that a put succeeded, with a path that holds body.
func (c *client) wantKept(r gocacheprog.Response, body []byte) {
	c.t.Helper()
	got, err := os.ReadFile(r.DiskPath)
	if r.Err != "" || err != nil || !bytes.Equal(got, body) {
		c.t.Errorf("answered %+v, which holds %d bytes, want %d; %v", r, len(got), len(body), err)
	}
}

// action makes an action ID.
func action(n int) gocacheprog.ID { return sha256.Sum256([]byte{byte(n)}) }

// storeFuncs is a store made of what a test is about.
type storeFuncs struct {
	get     func(gocacheprog.ID) (gocacheprog.Object, error)
	put     func(_, _ gocacheprog.ID, _ io.Reader) (gocacheprog.Object, error)
	release func()
}

func (s storeFuncs) Get(_ context.Context, a gocacheprog.ID) (gocacheprog.Object, error) {
	return s.get(a)
}

func (s storeFuncs) Put(_ context.Context, a, o gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
	return s.put(a, o, r)
}

func (s storeFuncs) Release() {
	if s.release != nil {
		s.release()
	}
}

var errBroken = errors.New("a broken store")

// failing fails every call, a put after reading so many bytes.
func failing(read int64) gocacheprog.Store {
	return storeFuncs{
		get: func(gocacheprog.ID) (gocacheprog.Object, error) {
			return gocacheprog.Object{}, errBroken
		},
		put: func(_, _ gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
			io.CopyN(io.Discard, r, read)
			return gocacheprog.Object{}, errBroken
		},
	}
}
