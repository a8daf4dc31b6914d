package lifecycle_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

const opEcho = 1

// host is a host whose servers run in this process. What it starts and what happens is noted.
type host struct {
	t       testing.TB
	ep      ipc.Endpoint
	version string // of the servers that it starts

	mu      sync.Mutex
	spawned []lifecycle.SpawnInfo
	events  []ipc.Event
	claims  []*lifecycle.Held // of servers that do not answer
	servers sync.WaitGroup
}

func newHost(t testing.TB, version string) *host {
	ep, _ := newEndpoint(t)
	h := &host{t: t, ep: ep, version: version}
	t.Cleanup(func() {
		if _, err := lifecycle.Stop(context.Background(), ep, &lifecycle.StopOptions{
			Kill: h.kill, ProbeTimeout: 50 * time.Millisecond,
		}); err != nil {
			t.Error(err)
		}
		h.servers.Wait()
	})
	return h
}

// of is the same host with programs of another version.
func (h *host) of(version string) *host {
	return &host{t: h.t, ep: h.ep, version: version}
}

func (h *host) options() *lifecycle.Options {
	return &lifecycle.Options{
		Spawn: h.spawn, Kill: h.kill, Version: h.version, Compare: compareNumbers, Events: h.note,
		Timeout: 20 * time.Second, ProbeTimeout: 200 * time.Millisecond, Executable: "host",
	}
}

func (h *host) note(e ipc.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// noted returns the events of a kind.
func (h *host) noted(kind string) (found []ipc.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

func (h *host) spawns() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.spawned)
}

// spawn is a Spawn that serves in this process.
func (h *host) spawn(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
	h.mu.Lock()
	h.spawned = append(h.spawned, info)
	h.mu.Unlock()
	return h.serve(info.Starter()), nil
}

// serve starts a server and returns what tells of its end.
func (h *host) serve(starter *lifecycle.Readiness) <-chan error {
	srv := h.echoServer()
	exited := make(chan error, 1)
	claim, err := lifecycle.Claim(context.Background(), h.ep, &lifecycle.ClaimOptions{
		Version: h.version, Instance: srv.Info().Instance, Starter: starter,
	})
	if err != nil {
		srv.Close()
		exited <- err
		return exited
	}
	up := &upSource{claim, make(chan struct{})}
	h.servers.Go(func() { exited <- srv.Serve(context.Background(), up) })
	<-up.up
	return exited
}

func (h *host) echoServer() *ipc.Server {
	srv := ipc.NewServer(&ipc.ServerOptions{Version: h.version, Events: h.note})
	srv.Handle(opEcho, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		return r.Reply(r.Payload), nil
	})
	return srv
}

// serveClaim serves with a claim that a server has had for a while.
func (h *host) serveClaim(claim *lifecycle.Held) {
	srv := h.echoServer()
	h.servers.Go(func() { srv.Serve(context.Background(), claim) })
}

// upSource is a claim that tells when it has begun to listen and has told its starter so.
type upSource struct {
	*lifecycle.Held
	up chan struct{}
}

func (s *upSource) Listen() (*ipc.Listener, error) {
	defer close(s.up)
	return s.Held.Listen()
}

// wedge claims and listens, and never answers anybody.
func (h *host) wedge(version string) *lifecycle.Held {
	h.t.Helper()
	claim, err := lifecycle.Claim(h.t.Context(), h.ep, &lifecycle.ClaimOptions{Version: version})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := claim.Listen(); err != nil {
		h.t.Fatal(err)
	}
	h.claims = append(h.claims, claim)
	return claim
}

// kill ends what does not answer; all of it is in this process.
func (h *host) kill(_ context.Context, p ipc.Process) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.claims {
		if c.Info().Process == p {
			c.Close()
		}
	}
	return nil
}

// ensure makes sure of a server and calls it.
func (h *host) ensure(o *lifecycle.Options) *ipc.Client {
	h.t.Helper()
	c, err := lifecycle.Ensure(h.t.Context(), h.ep, o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	h.echo(c)
	return c
}

func (h *host) echo(c *ipc.Client) {
	h.t.Helper()
	answer, err := c.Call(h.t.Context(), opEcho, []byte("hello"))
	if err != nil || string(answer) != "hello" {
		h.t.Fatalf("call: %q, %v", answer, err)
	}
}

// says demands that an error says all these.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("error %v does not say %q", err, w)
		}
	}
}

// impatience is little time for a server to answer that is told to be silent, and enough for one
// that is not, twice.
const impatience = 150 * time.Millisecond

// impatient options give a server little time to answer; the channel tells of each that did not.
func (h *host) impatient() (*lifecycle.Options, <-chan bool) {
	o := h.options()
	o.ProbeTimeout = impatience
	silent := make(chan bool, 1000)
	o.Events = func(e ipc.Event) {
		h.note(e)
		if e.Kind == lifecycle.EventUnanswered {
			silent <- true
		}
	}
	return o, silent
}

// ensureLater makes sure of a server in the background.
func (h *host) ensureLater(o *lifecycle.Options) <-chan error {
	ensured := make(chan error, 1)
	go func() {
		c, err := lifecycle.Ensure(h.t.Context(), h.ep, o)
		if err == nil {
			c.Close()
		}
		ensured <- err
	}()
	return ensured
}

// busyServer serves the endpoint within this process, where a call of the client runs until finish.
func (h *host) busyServer(version string) (c *ipc.Client, finish chan<- bool, called <-chan error) {
	h.t.Helper()
	srv := ipc.NewServer(&ipc.ServerOptions{Version: version})
	running, end := make(chan bool), make(chan bool)
	srv.Handle(opEcho, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		running <- true
		<-end
		return r.Reply(r.Payload), nil
	})
	claim := claim(h.t, h.ep)
	h.servers.Go(func() { srv.Serve(context.Background(), claim) })
	c, err := ipc.Dial(h.t.Context(), h.ep, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	ended := make(chan error, 1)
	go func() { // ends with the call
		_, err := c.Call(h.t.Context(), opEcho, []byte("hello"))
		ended <- err
	}()
	<-running
	return c, end, ended
}
