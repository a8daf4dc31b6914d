package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

func TestDefaults(t *testing.T) {
	c, s := ipc.ClientDefaults(nil), ipc.ServerDefaults()
	if c.Timeout != 5*time.Minute || c.PingEvery != 5*time.Second || c.MaxMessage != 64<<20 {
		t.Errorf("of a client: %+v", c)
	}
	if c := ipc.ClientDefaults(&ipc.ClientOptions{PingEvery: -1}); c.PingEvery >= 0 {
		t.Errorf("of a client that never pings: %v", c.PingEvery)
	}
	want := ipc.Limits{Connections: 1024, CallsPerConnection: 256, Calls: 4096, MaxMessage: 64 << 20,
		Memory: 1 << 30, Header: 10 * time.Second, Stall: 5 * time.Minute}
	if s.Limits != want || s.IdleAfter != 0 || s.DrainTimeout != 30*time.Second {
		t.Errorf("of a server: %+v", s)
	}
}

// TestNoLimits has limits that nothing reaches: everything is let in, and no client makes the server hold more than it has sent.
func TestNoLimits(t *testing.T) {
	for name, limits := range map[string]ipc.Limits{
		"connections": {Connections: math.MaxInt}, "calls of a connection": {CallsPerConnection: math.MaxInt},
		"calls": {Calls: math.MaxInt}, "bytes of a message": {MaxMessage: math.MaxInt}, "memory": {Memory: math.MaxInt},
		"time for a header": {Header: math.MaxInt64}, "time of a stall": {Stall: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, &ipc.ServerOptions{Limits: limits})
			c := ipctest.Client(t, s, nil)
			if b, err := c.Call(t.Context(), opEcho, []byte("x")); string(b) != "x" || err != nil {
				t.Errorf("the call says %q, %v", b, err)
			}
			f := rawClient(t, s, 2)
			f.Write(frame(request(1<<20, "x"))) // a place in a list that would be as long
			if got := next(f); got.Kind != ipc.KindError || got.Payload[0] != ipc.CodeBusy {
				t.Errorf("a slot that no client has: frame %+v", got)
			}
		})
	}
}

// TestToldLimits reads what a server with default limits tells its clients.
func TestToldLimits(t *testing.T) {
	s := newServer(t, nil)
	client, server := ipctest.Pair(t)
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		s.ServeConn(server)
	}()
	defer func() { <-done }()
	defer client.Close()
	client.Write(ipc.RawHello(2))
	want := ipc.RawWholeAck(s.Info(), 1, 0, 64<<20, 256)[ipc.AckHeadSize:]
	if got, err := ipc.ReadRawAck(client); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the acknowledgement says %x, %v, want %x", got, err, want)
	}
}

// TestLimitsBeforeTheAcknowledgement has a server that does not answer the hello.
func TestLimitsBeforeTheAcknowledgement(t *testing.T) {
	client, server := ipctest.Pair(t)
	defer server.Close()
	c, err := ipc.NewClient(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CallAppend(nil, 1, make([]byte, 64<<20+1), 20*time.Millisecond)
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseQueue, ipc.NotProcessed)
	var waiting []<-chan error
	for range 256 {
		waiting = append(waiting, later(c, 1, ""))
	}
	for ipc.Running(c) < len(waiting) {
		<-time.After(time.Millisecond) // until all have a slot
	}
	_, err = c.CallAppend(nil, 1, nil, 20*time.Millisecond)
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseQueue, ipc.NotProcessed)
	c.Close()
	for _, w := range waiting {
		if err := <-w; !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("a call that has a slot says %v", err)
		}
	}
}

// TestLargeFirstRequest has a first request that only some servers take: this one's limit is asked for.
func TestLargeFirstRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		limit int
		want  error
	}{"more": {64<<20 + 1, nil}, "usual": {0, ipc.ErrTooLarge}} {
		s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{MaxMessage: tc.limit}})
		s.Handle(5, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
			return req.Reply(fmt.Append(nil, len(req.Payload))), nil
		})
		o := &ipc.ClientOptions{PingEvery: -1, Timeout: 20 * time.Second} // a ping would bring the limit too
		for role, c := range map[string]caller{"lockstep": ipctest.Conn(t, s, o), "multiplexed": ipctest.Client(t, s, o)} {
			t.Run(name+"/"+role, func(t *testing.T) {
				b, err := c.Call(t.Context(), 5, make([]byte, 64<<20+1))
				if tc.want == nil && (err != nil || string(b) != fmt.Sprint(64<<20+1)) {
					t.Errorf("the call says %s, %v", b, err)
				}
				if tc.want != nil {
					checkCall(t, err, tc.want, ipc.PhaseQueue, ipc.NotProcessed)
				}
			})
		}
	}
}

// TestLimitsBeyondTheProcessor has a server that takes messages of more bytes than an int of 32 bits counts.
func TestLimitsBeyondTheProcessor(t *testing.T) {
	client, server := ipctest.Pair(t)
	c, err := ipc.NewClient(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	defer func() { <-ended }()
	defer c.Close()
	go func() { // ends with the client
		defer close(ended)
		defer server.Close()
		ipc.ReadRawHello(server)
		server.Write(ipc.RawWholeAck(ipc.ServerInfo{Instance: strings.Repeat("0", 32)}, 1, 0, 3<<30, 256))
		for got := next(server); got.Kind != 0; got = next(server) {
			server.Write(frame(answer(got, "x")))
		}
	}()
	for range 2 { // the second one knows the limit
		if err := <-later(c, 1, "x"); err != nil {
			t.Error(err)
		}
	}
}

// TestBudgetOfAnotherAttempt has a call wait for a server that then has not let it in, and be made again on a connection
// that another call has made: what is left of its time travels.
func TestBudgetOfAnotherAttempt(t *testing.T) {
	const timeout, wait = 20 * time.Second, 100 * time.Millisecond
	first, away, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	budget, ended := make(chan uint32, 1), make(chan struct{})
	c := against(t, &ipc.ClientOptions{Redial: func(context.Context) (*os.File, error) {
		client, server := ipctest.Pair(t)
		go func() { // ends with the client
			defer close(ended)
			defer server.Close()
			ipc.ReadRawHello(server)
			server.Write(ipc.RawAck(1, 256))
			for got := next(server); got.Kind != 0; got = next(server) {
				if got.Op == 2 {
					budget <- got.Extra
				}
				server.Write(frame(answer(got, "")))
			}
		}()
		return client, nil
	}}, func(f *os.File) {
		next(f)
		close(first)
		<-away
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "upgrade", 0)}))
		<-end
	})
	called := make(chan error, 1)
	go func() { // ends with its answer
		_, err := c.CallAppend(nil, 2, nil, timeout)
		called <- err
	}()
	<-first
	<-time.After(wait)
	close(away)
	for ipc.Usable(c) {
		<-time.After(time.Millisecond) // no event tells of it
	}
	if _, err := c.Call(t.Context(), 3, nil); err != nil {
		t.Error(err)
	}
	close(end)
	if err := <-called; err != nil {
		t.Error(err)
	}
	if left := time.Duration(<-budget) * time.Millisecond; left > timeout-wait {
		t.Errorf("the server is given %v", left)
	}
	c.Close()
	<-ended
}

// TestBudgets reads what requests say of their time: the caller's, the client's or the default.
func TestBudgets(t *testing.T) {
	type call func(*ipc.Client) error
	plain := func(c *ipc.Client) error { _, err := c.Call(context.Background(), 1, nil); return err }
	within := func(d time.Duration) call {
		return func(c *ipc.Client) error { _, err := c.CallAppend(nil, 1, nil, d); return err }
	}
	for _, tc := range []struct {
		name    string
		timeout time.Duration // of the client
		call    call
		want    time.Duration
	}{
		{"call", 0, plain, 5 * time.Minute},
		{"call of a client with a timeout", time.Minute, plain, time.Minute},
		{"appending call", 0, within(0), 5 * time.Minute},
		{"appending call of a client with a timeout", time.Minute, within(0), time.Minute},
		{"call with a timeout", time.Minute, within(2 * time.Minute), 2 * time.Minute},
		{"longest timeout of a client", math.MaxInt64, plain, 1<<32*time.Millisecond - time.Millisecond},
		{"longest timeout", 0, within(math.MaxInt64), 1<<32*time.Millisecond - time.Millisecond},
		{"deadline beyond all timeouts", 0, func(c *ipc.Client) error {
			ctx, cancel := context.WithDeadline(context.Background(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
			defer cancel()
			_, err := c.Call(ctx, 1, nil)
			return err
		}, 1<<32*time.Millisecond - time.Millisecond},
		{"rounded up", 0, within(time.Minute + 1), time.Minute + time.Millisecond},
		{"file", 0, func(c *ipc.Client) error {
			_, err := c.CallFile(context.Background(), 1, nil)
			return err
		}, 5 * time.Minute},
		{"file of a client with a timeout", time.Minute, func(c *ipc.Client) error {
			_, err := c.CallFile(context.Background(), 1, nil)
			return err
		}, time.Minute},
		{"ping", time.Minute, func(c *ipc.Client) error { return c.Ping(context.Background()) }, 2 * time.Second},
		{"status", time.Minute, func(c *ipc.Client) error {
			_, err := c.Status(context.Background())
			return err
		}, 2 * time.Second},
		{"shutdown", time.Minute, func(c *ipc.Client) error {
			return c.Shutdown(context.Background(), "")
		}, 2 * time.Second},
		{"stream", time.Minute, func(c *ipc.Client) error {
			st, err := c.Open(context.Background(), 1, nil)
			if err == nil {
				err = st.Close()
			}
			return err
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			budget := make(chan uint32, 1)
			c := against(t, &ipc.ClientOptions{Timeout: tc.timeout}, func(f *os.File) {
				request := next(f)
				budget <- request.Extra
				f.Write(answer(request, "").Append(nil))
				untilClosed(f)
			})
			if err := tc.call(c); err != nil {
				t.Fatal(err)
			}
			if got := time.Duration(<-budget) * time.Millisecond; got != tc.want {
				t.Errorf("the server is given %v, want %v", got, tc.want)
			}
		})
	}
}
