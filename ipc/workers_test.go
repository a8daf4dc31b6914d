package ipc_test

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestWhereHandlersRun holds that fast operations run on the goroutine that reads and that others do
// not, and that these use goroutines again.
func TestWhereHandlersRun(t *testing.T) {
	s := newServer(t, nil)
	where := func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		stack := make([]byte, 16<<10)
		return &ipc.Response{Payload: stack[:runtime.Stack(stack, false)]}, nil
	}
	s.Handle(5, where)
	s.HandleFast(6, where)
	c := ipctest.Conn(t, s, nil)
	goroutines := func(op uint16, reads bool) int {
		seen := map[string]bool{}
		for range 200 {
			stack, err := c.Call(t.Context(), op, nil)
			if err != nil || bytes.Contains(stack, []byte("(*session).serve(")) != reads {
				t.Fatalf("operation %d runs in %s, %v", op, stack, err)
			}
			number, _, _ := strings.Cut(string(stack), " [")
			seen[number] = true
		}
		return len(seen)
	}
	if n := goroutines(6, true); n != 1 {
		t.Errorf("a connection is read by %d goroutines", n)
	}
	if n := goroutines(5, false); n > 100 {
		t.Errorf("200 calls in turn took %d goroutines", n)
	}
}

// TestTurns has requests that are read at once, and handlers that return at once: few goroutines come to run them.
func TestTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c := rawClient(t, newServer(t, nil), 2)
	const calls = 60
	var requests []byte
	for i := range uint32(calls) {
		requests = ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Slot: i}.Append(requests)
	}
	if _, err := c.Write(requests); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for range calls {
		if f, err := ipc.ReadRawFrame(c); err != nil || f.Kind != ipc.KindResponse {
			t.Fatalf("frame %+v, %v", f, err)
		}
	}
	if n := workers(); n > 8 {
		t.Errorf("%d goroutines came for %d calls", n, calls)
	}
}

// TestFastWaitsForNone has a request and one of a fast operation read at once: the first is served although the fast
// handler does not return.
func TestFastWaitsForNone(t *testing.T) {
	s := newServer(t, nil)
	served := make(chan struct{})
	s.Handle(5, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		close(served)
		return nil, nil
	})
	s.HandleFast(6, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		select {
		case <-served:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	c := rawClient(t, s, 2)
	first := ipc.RawFrame{Kind: ipc.KindRequest, Op: 5, Slot: 0}.Append(nil)
	both := ipc.RawFrame{Kind: ipc.KindRequest, Op: 6, Slot: 1, Extra: 10_000}.Append(first)
	if _, err := c.Write(both); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if f, err := ipc.ReadRawFrame(c); err != nil || f.Kind != ipc.KindResponse {
			t.Errorf("frame %+v, %v", f, err)
		}
	}
}

// TestManyFastAnswers has a client read all answers to requests that are read at once, though they are more than a
// client may leave unread.
func TestManyFastAnswers(t *testing.T) {
	const calls, size = 1000, 16 << 10
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: calls}})
	s.HandleFast(5, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		return req.Reply(make([]byte, size)), nil
	})
	c := rawClient(t, s, 2)
	var requests []byte
	for i := range uint32(calls) {
		requests = ipc.RawFrame{Kind: ipc.KindRequest, Op: 5, Slot: i}.Append(requests)
	}
	if _, err := c.Write(requests); err != nil {
		t.Fatal(err)
	}
	for i := range calls {
		if f, err := ipc.ReadRawFrame(c); err != nil || f.Kind != ipc.KindResponse || len(f.Payload) != size {
			t.Fatalf("answer %d: a frame of kind %d with %d bytes, %v", i, f.Kind, len(f.Payload), err)
		}
	}
	settled(t, s)
}

// workers returns how many goroutines of all servers run handlers, or wait for some.
func workers() int {
	stacks := make([]byte, 8<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("(*workers).work("))
}

// TestIdleWorkers makes more calls at once than goroutines are kept for the next ones.
func TestIdleWorkers(t *testing.T) {
	const kept, calls = 256, 600
	s, began, release := holdingServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: calls}})
	c := ipctest.Client(t, s, nil)
	if err := c.Ping(t.Context()); err != nil { // it now knows the limit
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			if _, err := c.Call(t.Context(), opHold, nil); err != nil {
				t.Error(err)
			}
		})
	}
	for range calls {
		<-began
	}
	close(release)
	all.Wait()
	for range 1000 {
		if workers() <= kept {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines are kept", workers())
}
