package buildabi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

type (
	board = *buildabi.Board
	build = *buildabi.Build
)

// client is the other end of one session. It decodes everything, and fails the test for whatever a
// real client would stumble over.
type client struct {
	t       *testing.T
	reader  *buildabi.Reader
	in      chan []byte // what the client says
	ended   chan error  // what Serve returned
	end     context.CancelCauseFunc
	started time.Time

	mu     sync.Mutex
	passes []pass
	stall  bool // take nothing more
}

// pass is what one Write brought, and when.
type pass struct {
	at   time.Duration // since the client connected
	msgs []buildabi.Message
	raw  [][]byte
}

// connect starts a session. The test, in a bubble, must not end before it has been closed.
func connect(t *testing.T, b *buildabi.Board, v buildabi.Version) *client {
	t.Helper()
	ctx, end := context.WithCancelCause(t.Context())
	c := &client{t: t, reader: buildabi.NewReader(v), in: make(chan []byte),
		ended: make(chan error, 1), end: end, started: time.Now()}
	go func() { c.ended <- b.Serve(ctx, c) }() // close waits for it
	synctest.Wait()
	return c
}

var errLeft = errors.New("the client has left")

func (c *client) close() {
	c.t.Helper()
	c.end(errLeft)
	if err := <-c.ended; !errors.Is(err, errLeft) {
		c.t.Errorf("the session ended with %v", err)
	}
}

func (c *client) Read(ctx context.Context) ([]byte, error) {
	select {
	case m := <-c.in:
		return m, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *client) Write(ctx context.Context, msgs [][]byte) error {
	c.mu.Lock()
	stall := c.stall
	c.mu.Unlock()
	if stall {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	p := pass{at: time.Since(c.started)}
	for _, b := range msgs {
		m, findings, err := c.reader.Next(b)
		if err != nil || len(findings) > 0 {
			c.t.Errorf("sent %x: %v, findings %q", b, err, findings)
		}
		p.msgs = append(p.msgs, m)
		p.raw = append(p.raw, bytes.Clone(b))
		clear(b[:0]) // what is borrowed may be looked at, not kept
	}
	c.mu.Lock()
	c.passes = append(c.passes, p)
	c.mu.Unlock()
	return nil
}

// take returns the passes that have come since the last call, once all is quiet.
func (c *client) take() []pass {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.passes
	c.passes = nil
	return all
}

// said returns one line for each message since the last call, with the passes divided by "|".
func (c *client) said() string {
	var parts []string
	for _, p := range c.take() {
		var lines []string
		for _, m := range p.msgs {
			lines = append(lines, text(m))
		}
		parts = append(parts, strings.Join(lines, ", "))
	}
	return strings.Join(parts, " | ")
}

// text is a message in short.
func text(m buildabi.Message) string {
	switch m := m.(type) {
	case *buildabi.Hello:
		var steps []string
		for i, name := range m.Steps {
			steps = append(steps, fmt.Sprintf("%s=%v", name, m.Statuses.Get(i)))
		}
		return fmt.Sprintf("hello %v [%s]", m.Status, strings.Join(steps, " "))
	case *buildabi.StatusUpdate:
		return m.New.String()
	case *buildabi.StepUpdate:
		return fmt.Sprintf("%d=%v", m.Step, m.Status)
	case *buildabi.SourceIndex:
		return fmt.Sprintf("index %d", len(m.Locations))
	case *buildabi.CoverageUpdate:
		return fmt.Sprintf("coverage %d/%d/%d", m.Runs, m.UniqueRuns, m.Covered.Count())
	case *buildabi.EntryPoints:
		return fmt.Sprintf("entries %v", m.Locations)
	case *buildabi.GenericResult:
		return fmt.Sprintf("time %d %v", m.Step, time.Duration(m.Total))
	case *buildabi.CompileResult:
		return fmt.Sprintf("compile %d", m.Step)
	case *buildabi.RunTestResult:
		return fmt.Sprintf("tests %d", m.Step)
	}
	return fmt.Sprintf("%T", m)
}

// expect compares what came since the last call.
func (c *client) expect(want string) {
	c.t.Helper()
	if got := c.said(); got != want {
		c.t.Errorf("the client was told %q, want %q", got, want)
	}
}

// quiet lets the gap after a pass go by, and that after the pass at its end.
func quiet() { time.Sleep(40 * time.Millisecond) }

// must fails the test for an error of a board call.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// session runs a test in a bubble, with a board that has started a build of the steps, and a
// client that has been told so.
func session(t *testing.T, v buildabi.Version, steps string,
	test func(t *testing.T, b board, u build, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(&buildabi.BoardOptions{Version: v, TimeReport: true})
		time.Sleep(1500 * time.Millisecond)
		u := b.StartBuild(strings.Fields(steps)...)
		c := connect(t, b, v)
		c.take()
		quiet()
		test(t, b, u, c)
		c.close()
	})
}

// startFuzz begins a fuzz session with a small index.
func startFuzz(t testing.TB, u *buildabi.Build) *buildabi.Fuzz {
	t.Helper()
	f, err := u.StartFuzz()
	must(t, err)
	must(t, f.SetIndex(smallIndex(buildabi.V1)))
	return f
}

// find returns the one message of a kind.
func find[M buildabi.Message](t *testing.T, passes []pass) (found M) {
	t.Helper()
	n := 0
	for _, p := range passes {
		for _, m := range p.msgs {
			if m, ok := m.(M); ok {
				found = m
				n++
			}
		}
	}
	if n != 1 {
		t.Fatalf("%d messages of kind %T, want one", n, found)
	}
	return found
}

func times(passes []pass) (at []time.Duration) {
	for _, p := range passes {
		at = append(at, p.at)
	}
	return slices.Clip(at)
}
