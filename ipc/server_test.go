package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

const opHold = 20 // answers when the test lets it

// holdingServer has an operation that tells when it begins and returns when release is closed.
func holdingServer(t *testing.T, o *ipc.ServerOptions) (s *ipc.Server, began chan struct{}, release chan struct{}) {
	t.Helper()
	s = newServer(t, o)
	began, release = make(chan struct{}, 1000), make(chan struct{})
	s.Handle(opHold, func(ctx context.Context, req *ipc.Request) (*ipc.Response, error) {
		began <- struct{}{}
		select {
		case <-release:
			return req.Reply(req.Payload), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	return s, began, release
}

// later makes a call in another goroutine.
func later(c caller, op uint16, payload string) <-chan error {
	result := make(chan error, 1)
	go func() { // ends with the call
		b, err := c.Call(context.Background(), op, []byte(payload))
		if err == nil && string(b) != payload {
			err = errors.New("answer " + string(b))
		}
		result <- err
	}()
	return result
}

func TestHandlerErrors(t *testing.T) {
	var events []ipc.Event
	var mu sync.Mutex
	s := newServer(t, &ipc.ServerOptions{Events: func(e ipc.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}})
	fail := func(err error) ipc.Handler {
		return func(context.Context, *ipc.Request) (*ipc.Response, error) { return nil, err }
	}
	s.Handle(30, fail(errors.New("nothing there")))
	s.Handle(31, fail(&ipc.RemoteError{Code: 4711, Message: "mine"}))
	s.Handle(32, fail(context.DeadlineExceeded))
	s.Handle(33, func(context.Context, *ipc.Request) (*ipc.Response, error) { panic("ouch") })
	s.HandleFast(34, func(context.Context, *ipc.Request) (*ipc.Response, error) { panic("ouch") })
	s.Handle(36, fail(fmt.Errorf("in the handler: %w", context.Canceled)))
	s.Handle(35, func(context.Context, *ipc.Request) (*ipc.Response, error) { return nil, nil })
	s.HandleStream(37, func(context.Context, *ipc.Request, *ipc.Stream) error { return nil })
	c := ipctest.Client(t, s, nil)
	for _, tc := range []struct {
		name string
		op   uint16
		code uint32
		is   error
		says string
	}{
		{"plain", 30, ipc.CodeFailed, nil, "nothing there"},
		{"own code", 31, 4711, nil, "mine"},
		{"deadline", 32, ipc.CodeDeadline, os.ErrDeadlineExceeded, ""},
		{"cancelled", 36, ipc.CodeCancelled, context.Canceled, "in the handler"},
		{"panic", 33, ipc.CodeInternal, nil, "panicked"},
		{"panic on the reading goroutine", 34, ipc.CodeInternal, nil, "panicked"},
		{"unknown", 99, ipc.CodeUnknown, errors.ErrUnsupported, "no such operation"},
		{"stream", 37, ipc.CodeUnknown, errors.ErrUnsupported, "is a stream"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := c.Call(t.Context(), tc.op, []byte("x"))
			remote, ok := errors.AsType[*ipc.RemoteError](err)
			if !ok || remote.Code != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the call says %v", err)
			}
			if ipc.OutcomeOf(err) != ipc.Answered || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("the call says %v, outcome %v", err, ipc.OutcomeOf(err))
			}
		})
	}
	stream, err := c.Open(t.Context(), 30, nil)
	if err == nil {
		_, err = stream.Read(make([]byte, 1))
		stream.Close()
	}
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "is no stream") {
		t.Errorf("a stream to a handler of calls: %v", err)
	}
	if b, err := c.Call(t.Context(), 35, nil); len(b) != 0 || err != nil {
		t.Errorf("an empty answer is %q, %v", b, err)
	}
	st, err := c.Status(t.Context())
	if err != nil || st.Panics != 2 || st.Failed != 6 || st.Refused != 3 || st.Calls != 7 || st.Latency.Total() != 7 {
		t.Errorf("status %+v, %v", st, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(events) != 2 || events[0].Kind != ipc.EventPanic {
		t.Fatalf("events %+v", events)
	}
	p, ok := errors.AsType[*ipc.PanicError](events[0].Err)
	if !ok || p.Value != "ouch" || p.Op != 33 || !bytes.Contains(p.Stack, []byte("server_test.go")) {
		t.Errorf("the event says %+v", p)
	}
}

// TestRefusalPassedOn has a handler return what another server has refused it with: it has run, and is not run again.
func TestRefusalPassedOn(t *testing.T) {
	back, s := newServer(t, nil), newServer(t, nil)
	other := ipctest.Client(t, back, nil)
	if err := back.Drain(t.Context(), "upgrade"); err != nil {
		t.Fatal(err)
	}
	_, refusal := other.Call(t.Context(), opEcho, nil)
	if !errors.Is(refusal, ipc.ErrDraining) {
		t.Fatalf("the other server says %v", refusal)
	}
	var runs atomic.Int32
	s.Handle(30, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		runs.Add(1)
		return nil, refusal
	})
	ep, _, _ := serving(t, s)
	c, err := ipc.Dial(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Call(t.Context(), 30, nil)
	if ipc.OutcomeOf(err) != ipc.Answered || errors.Is(err, ipc.ErrDraining) || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("the call says %v, outcome %v", err, ipc.OutcomeOf(err))
	}
	if n := runs.Load(); n != 1 {
		t.Errorf("the handler has run %d times", n)
	}
}

// faulty is an error that cannot say what it is, as a nil pointer that a handler returns for want of an error.
type faulty struct{ text string }

func (e *faulty) Error() string { return e.text }

// TestFaultyError has handlers return an error whose method panics: that is as if they had.
func TestFaultyError(t *testing.T) {
	s := newServer(t, nil)
	fail := func(context.Context, *ipc.Request) (*ipc.Response, error) { return nil, (*faulty)(nil) }
	s.Handle(30, fail)
	s.HandleFast(31, fail)
	s.HandleStream(32, func(context.Context, *ipc.Request, *ipc.Stream) error { return (*faulty)(nil) })
	c := ipctest.Client(t, s, nil)
	_, err1 := c.Call(t.Context(), 30, nil)
	_, err2 := c.Call(t.Context(), 31, nil)
	_, err3 := open(t, c, 32, "").Read(make([]byte, 1))
	for i, err := range []error{err1, err2, err3} {
		if remote, ok := errors.AsType[*ipc.RemoteError](err); !ok || remote.Code != ipc.CodeInternal {
			t.Errorf("call %d says %v", i, err)
		}
	}
	if st, err := c.Status(t.Context()); err != nil || st.Running != 0 || st.Panics != 3 || st.Failed != 3 {
		t.Errorf("status %+v, %v", st, err)
	}
}

// TestHandlerEndsItsGoroutine has handlers call runtime.Goexit, as t.Fatal does: the caller learns it at once.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	s := newServer(t, nil)
	exit := func(context.Context, *ipc.Request) (*ipc.Response, error) {
		runtime.Goexit()
		return nil, nil
	}
	s.Handle(30, exit)
	s.HandleFast(31, exit)
	c := ipctest.Client(t, s, nil)
	_, err := c.Call(t.Context(), 30, nil)
	if remote, ok := errors.AsType[*ipc.RemoteError](err); !ok || remote.Code != ipc.CodeInternal {
		t.Errorf("the call says %v", err)
	}
	if st, err := c.Status(t.Context()); err != nil || st.Running != 0 || st.Panics != 1 {
		t.Errorf("status %+v, %v", st, err)
	}
	// On the goroutine that reads it ends the connection, perhaps with an answer before.
	if _, err := c.Call(t.Context(), 31, nil); err == nil || errors.Is(err, ipc.ErrTimeout) {
		t.Errorf("the call says %v", err)
	}
	if err := s.Drain(t.Context(), "test"); err != nil {
		t.Error(err)
	}
}

// TestRequestPeer has a handler that says who calls: this process, as the client sees its server.
func TestRequestPeer(t *testing.T) {
	s := newServer(t, nil)
	s.Handle(5, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		return req.Reply(fmt.Append(nil, req.Peer())), nil
	})
	c := ipctest.Client(t, s, nil)
	got, err := c.Call(t.Context(), 5, nil)
	if want := fmt.Sprint(c.Peer()); string(got) != want || err != nil || c.Peer().PID != os.Getpid() {
		t.Errorf("the peer is %s, %v, want %s", got, err, want)
	}
}

// TestTurnedAway holds that a client which may not speak to the server learns it.
func TestTurnedAway(t *testing.T) {
	ep := ipctest.Server(t, newServer(t, &ipc.ServerOptions{Allow: func(ipc.Peer) bool { return false }}))
	c, err := ipc.Dial(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Call(t.Context(), opEcho, nil)
	if !errors.Is(err, ipc.ErrRefused) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("the call says %v, outcome %v", err, ipc.OutcomeOf(err))
	}
}

// TestManyReadNothing drains a server with clients that do not read their answers: they have one second, all together.
func TestManyReadNothing(t *testing.T) {
	const clients, calls = 5, 100 // with answers of more bytes than a connection takes
	s := newServer(t, nil)
	for range clients {
		f := rawClient(t, s, 2)
		for i := range uint32(calls) {
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opFast, Slot: i, Payload: make([]byte, 16<<10)}))
		}
	}
	for st := s.Status(); st.Calls < clients*calls || st.Running > 0; st = s.Status() {
		<-time.After(time.Millisecond)
	}
	start := time.Now()
	if err := s.Drain(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > clients*time.Second-time.Second/2 {
		t.Errorf("the drain took %v", took)
	}
}

// TestEndWhileCallsReturn ends a connection whose calls return while the server goes through them, and become those of
// another connection: the race detector tells if it still looks at them.
func TestEndWhileCallsReturn(t *testing.T) {
	const calls = 2000
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: calls}})
	requests := func(op uint16) (b []byte) {
		for i := range uint32(calls) {
			b = ipc.RawFrame{Kind: ipc.KindRequest, Op: op, Slot: i}.Append(b)
		}
		return b
	}
	began, release := make(chan struct{}, calls), make(chan struct{})
	s.Handle(opHold, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		began <- struct{}{}
		<-release
		return nil, nil
	})
	for range 10 {
		other, client := rawClient(t, s, 2), rawClient(t, s, 2)
		client.Write(requests(opHold))
		for range calls {
			<-began
		}
		go func() { // ends with the calls
			for range calls {
				release <- struct{}{}
			}
		}()
		go other.Write(requests(opEcho)) // ends when they are read
		client.Close()
		for range calls {
			if f, err := ipc.ReadRawFrame(other); err != nil || f.Kind != ipc.KindResponse {
				t.Fatalf("an answer is %+v, %v", f, err)
			}
		}
	}
	settled(t, s)
}

// rawClient returns a connection to s whose hello of a role was sent and answered.
func rawClient(t *testing.T, s *ipc.Server, role byte) *os.File {
	t.Helper()
	client, server := ipctest.Pair(t)
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		s.ServeConn(server)
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	client.Write(ipc.RawHello(role))
	if _, err := ipc.ReadRawAck(client); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestStarting(t *testing.T) {
	s := newServer(t, &ipc.ServerOptions{Starting: true, Version: "1.2.3"})
	c := ipctest.Client(t, s, nil)
	if _, err := c.Call(t.Context(), opEcho, nil); !errors.Is(err, ipc.ErrBusy) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("before the server is ready a call says %v", err)
	}
	st, err := c.Status(t.Context())
	if err != nil || st.State != ipc.Starting || st.Version != "1.2.3" || st.Process.PID != os.Getpid() {
		t.Errorf("status %+v, %v", st, err)
	}
	s.Ready()
	if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
		t.Error(err)
	}
	if info := c.Info(); info.Instance != st.Instance || len(info.Instance) != 32 || info.Protocol != 1 {
		t.Errorf("info %+v", info)
	}
}

func TestDrain(t *testing.T) {
	s, began, release := holdingServer(t, nil)
	ep, _, served := serving(t, s)
	c, err := ipc.Dial(t.Context(), ep, &ipc.ClientOptions{Redial: func(context.Context) (*os.File, error) {
		return nil, ipc.ErrNotRunning
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	running := later(c, opHold, "finish me")
	<-began
	other, err := ipc.DialConn(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Shutdown(t.Context(), "upgrade"); err != nil {
		t.Fatal(err)
	}
	if st, err := other.Status(t.Context()); err != nil || st.State != ipc.Draining || st.Reason != "upgrade" || st.Running != 1 {
		t.Errorf("status %+v, %v", st, err)
	}
	_, err = other.Call(t.Context(), opEcho, nil)
	if !errors.Is(err, ipc.ErrDraining) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("a call while the server drains says %v", err)
	}
	_, err = c.Call(t.Context(), opEcho, nil)
	if !errors.Is(err, ipc.ErrNotRunning) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("a call that connects again says %v", err)
	}
	select {
	case err := <-served:
		t.Errorf("served until %v while a call runs", err)
	default:
	}
	close(release)
	if err := <-running; err != nil {
		t.Errorf("the call that ran says %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("the drained server says %v", err)
	}
	if err := s.Drain(t.Context(), "again"); err != nil {
		t.Errorf("draining again: %v", err)
	}
}

// TestShutdownIsAnswered asks servers that have nothing else to do: the answer comes before the end.
func TestShutdownIsAnswered(t *testing.T) {
	for range 1000 {
		s := newServer(t, nil)
		ep, _, served := serving(t, s)
		c, err := ipc.DialConn(t.Context(), ep, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Shutdown(t.Context(), "test"); err != nil {
			t.Fatalf("shutdown says %v", err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		c.Close()
	}
}

// TestCallWhileDraining makes a call on a connection that is new to a server that drains.
func TestCallWhileDraining(t *testing.T) {
	s, began, release := holdingServer(t, nil)
	running := later(ipctest.Client(t, s, nil), opHold, "x")
	<-began
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background(), "") }() // ends with the call
	for s.Info().State != ipc.Draining {
		<-time.After(time.Millisecond)
	}
	_, err := ipctest.Client(t, s, nil).Call(t.Context(), opEcho, nil)
	if !errors.Is(err, ipc.ErrDraining) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("the call says %v", err)
	}
	close(release)
	if err := errors.Join(<-running, <-drained); err != nil {
		t.Error(err)
	}
}

// TestDrainGivenUp stops to wait for a drain, which goes on.
func TestDrainGivenUp(t *testing.T) {
	s, began, release := holdingServer(t, nil)
	ep, _, served := serving(t, s)
	c, err := ipc.Dial(t.Context(), ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	running := later(c, opHold, "x")
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Drain(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain says %v", err)
	}
	close(release)
	if err := errors.Join(<-running, <-served); err != nil {
		t.Error(err)
	}
}

// TestDrainGivenUpAlone is the same without a Serve: the server ends after the call.
func TestDrainGivenUpAlone(t *testing.T) {
	s, began, release := holdingServer(t, nil)
	c := ipctest.Client(t, s, nil)
	running := later(c, opHold, "x")
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(ctx, "") }() // ends with ctx, or with the drain
	select {
	case err := <-drained:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain says %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("drain goes on after its context")
	}
	close(release)
	if err := errors.Join(<-running, s.Drain(t.Context(), "")); err != nil {
		t.Error(err)
	}
}

func TestDrainOutOfTime(t *testing.T) {
	s, began, _ := holdingServer(t, &ipc.ServerOptions{DrainTimeout: 10 * time.Millisecond})
	c := ipctest.Client(t, s, nil)
	running := later(c, opHold, "x")
	<-began
	if err := s.Drain(t.Context(), ""); !errors.Is(err, ipc.ErrTimeout) {
		t.Errorf("drain says %v", err)
	}
	if err := <-running; ipc.OutcomeOf(err) != ipc.MaybeProcessed {
		t.Errorf("the call says %v", err)
	}
}

// TestCloseEndsOldConnections closes a client whose call still runs on a server that drains.
func TestCloseEndsOldConnections(t *testing.T) {
	old, began, release := holdingServer(t, nil)
	next := newServer(t, nil)
	var served sync.WaitGroup
	c, err := ipc.NewClient(pairTo(t, old, &served), &ipc.ClientOptions{
		Redial: func(context.Context) (*os.File, error) { return pairTo(t, next, &served), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	running := later(c, opHold, "x")
	<-began
	drained := make(chan error, 1)
	go func() { drained <- old.Drain(context.Background(), "upgrade") }() // ends with the call
	for c.Info().Instance != next.Info().Instance {
		if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if err := <-running; !errors.Is(err, ipc.ErrClosed) {
		t.Errorf("the call on the old connection says %v", err)
	}
	close(release)
	if err := <-drained; err != nil {
		t.Error(err)
	}
	served.Wait()
}

// pairTo lets s serve a new connection and returns its other end.
func pairTo(t *testing.T, s *ipc.Server, served *sync.WaitGroup) *os.File {
	client, server := ipctest.Pair(t)
	served.Go(func() { s.ServeConn(server) }) // ends with the connection
	return client
}

// TestUpgradeLosesNoCall has a client that is sent from one server to the next while it calls without
// a pause.
func TestUpgradeLosesNoCall(t *testing.T) {
	var mu sync.Mutex
	var current *ipc.Server
	var servers sync.WaitGroup
	var ran atomic.Int64
	start := func() {
		s := newServer(t, nil)
		s.Handle(40, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
			ran.Add(1)
			return req.Reply(req.Payload), nil
		})
		mu.Lock()
		current = s
		mu.Unlock()
	}
	start()
	redial := func(context.Context) (*os.File, error) {
		client, server := ipctest.Pair(t)
		mu.Lock()
		defer mu.Unlock()
		s := current
		servers.Go(func() { s.ServeConn(server) }) // ends with the connection
		return client, nil
	}
	first, _ := redial(t.Context())
	c, err := ipc.NewClient(first, &ipc.ClientOptions{Redial: redial})
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	var calls atomic.Int64
	stop := make(chan struct{})
	for range 16 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Call(t.Context(), 40, []byte("x")); err != nil {
					t.Errorf("a call was lost: %v", err)
					return
				}
				calls.Add(1)
			}
		})
	}
	for range 1000 {
		for n := calls.Load(); calls.Load() < n+20 && !t.Failed(); {
			<-time.After(100 * time.Microsecond)
		}
		mu.Lock()
		old := current
		mu.Unlock()
		start()
		if err := old.Drain(t.Context(), "upgrade"); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	callers.Wait()
	c.Close()
	servers.Wait()
	if ran.Load() != calls.Load() {
		t.Errorf("%d calls, %d runs of the handler", calls.Load(), ran.Load())
	}
}

// TestIdle holds a server with each thing that keeps it from being idle, for much longer than it may be.
func TestIdle(t *testing.T) {
	for _, what := range []string{"start", "lease", "call", "stream"} {
		t.Run(what, func(t *testing.T) {
			died := make(chan ipc.Event, 10)
			s, began, release := holdingServer(t, &ipc.ServerOptions{IdleAfter: 30 * time.Millisecond,
				Starting: what == "start", Events: func(e ipc.Event) { died <- e }})
			s.HandleStream(opStuck, func(context.Context, *ipc.Request, *ipc.Stream) error {
				began <- struct{}{}
				<-release
				return nil
			})
			c := ipctest.Client(t, s, nil)
			end := func() { close(release) }
			switch what {
			case "start":
				end = s.Ready
			case "lease":
				lease := s.Lease()
				end = func() { lease(); lease() }
			case "call":
				held := later(c, opHold, "x")
				defer func() {
					if err := <-held; err != nil {
						t.Errorf("the call that ran says %v", err)
					}
				}()
				<-began
			case "stream":
				open(t, c, opStuck, "")
				<-began
			}
			l, err := ipc.Listen(ipctest.Endpoint(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- s.Serve(context.Background(), l) }() // ends when idle
			select {
			case e := <-died:
				t.Errorf("event %+v in spite of a %s", e, what)
				died <- e
			case <-time.After(100 * time.Millisecond):
			}
			released := time.Now()
			end()
			if err := <-served; err != nil {
				t.Error(err)
			}
			if idle := time.Since(released); idle < 30*time.Millisecond {
				t.Errorf("served for %v after the end of a %s", idle, what)
			}
			if e := <-died; e.Kind != ipc.EventDiedIdle {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// TestIdleAfterLongLease asks again and again for how long a server has had nothing to do, while long leases end: it had
// those until now.
func TestIdleAfterLongLease(t *testing.T) {
	s, alone := newServer(t, nil), runtime.GOMAXPROCS(0) == 1
	for range 10_000 {
		release, released := s.Lease(), make(chan bool)
		ipc.Neglect(s, time.Hour)
		go func() {
			release()
			close(released)
		}()
		for ended := false; !ended; {
			select {
			case <-released:
				ended = true
			default:
				if alone {
					runtime.Gosched()
				}
			}
			if idle := ipc.Idle(s); idle > 30*time.Minute {
				t.Fatalf("idle for %v", idle)
			}
		}
	}
}
