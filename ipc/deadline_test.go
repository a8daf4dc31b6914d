package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// phases are the waits of a call, each with a server that never ends it.
var phases = []struct {
	name    string
	size    int // of the request
	busy    bool
	play    script
	phase   ipc.Phase
	outcome ipc.Outcome
}{
	{"queue", 1, true, untilClosed, ipc.PhaseQueue, ipc.NotProcessed},
	{"write", 8 << 20, false, nil, ipc.PhaseWrite, ipc.MaybeProcessed},
	{"turn", 8 << 20, true, nil, ipc.PhaseWrite, ipc.NotProcessed},
	{"wait", 1, false, untilClosed, ipc.PhaseWait, ipc.MaybeProcessed},
	{"read", 1, false, func(f *os.File) {
		for {
			request, err := ipc.ReadRawFrame(f)
			if err != nil {
				return
			}
			if request.Kind == ipc.KindRequest {
				first := answer(request, "part")
				first.Flags, first.Extra = ipc.FlagMore, 100
				f.Write(first.Append(nil))
			}
		}
	}, ipc.PhaseRead, ipc.MaybeProcessed},
}

func TestDeadlineInEveryPhase(t *testing.T) {
	calls, rank := 8, 4 // on a machine that does other things too
	if long {
		calls, rank = 200, 197 // all but one in a hundred
	}
	for _, tc := range phases {
		timeout := 20 * time.Millisecond
		if tc.phase == ipc.PhaseRead {
			timeout *= 3 // the begin of the answer has to come before, also on a busy machine
		}
		for _, how := range []string{"timeout", "context", "cancel"} {
			t.Run(tc.name+"/"+how, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				c := against(t, nil, func(f *os.File) {
					if tc.play == nil {
						<-end // reads nothing
						return
					}
					tc.play(f)
				})
				if tc.busy {
					occupy(t, c, tc.name)
				}
				over, payload := make([]time.Duration, calls), make([]byte, tc.size)
				for i := range over {
					lateness := busyness(timeout)
					start := time.Now()
					err := callFor(t, c, how, payload, timeout)
					over[i] = time.Since(start) - timeout
					busy := <-lateness
					if over[i] > 0 {
						over[i] = max(0, over[i]-busy)
					}
					want := error(ipc.ErrTimeout)
					if how == "cancel" {
						want = context.Canceled
					}
					if tc.name != "write" || i == 0 {
						checkCall(t, err, want, tc.phase, tc.outcome)
					} else if !errors.Is(err, want) {
						t.Errorf("call %d says %v", i, err)
					}
				}
				slices.Sort(over)
				t.Logf("half of the calls took at most %v longer, all at most %v", over[calls/2], over[calls-1])
				if late := over[rank]; late > 5*time.Millisecond && !raceEnabled {
					t.Errorf("%d calls of %d took %v or more longer than their deadline", calls-rank, calls, late)
				}
				if over[0] < -time.Millisecond {
					t.Errorf("a call ended %v before its deadline", -over[0])
				}
			})
		}
	}
}

// TestDeadlineOfLargeMessage has a call of a large message, which is one frame, to a server that reads nothing.
func TestDeadlineOfLargeMessage(t *testing.T) {
	const timeout = 50 * time.Millisecond
	payload := bytes.Repeat([]byte{1}, 64<<20)
	var over []time.Duration
	for range 5 {
		client, server := ipctest.Pair(t)
		c, err := ipc.NewConn(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		debug.FreeOSMemory() // memory of the calls before would be there at once
		lateness := busyness(timeout)
		start := time.Now()
		_, err = c.CallAppend(nil, 1, payload, timeout)
		over = append(over, max(0, time.Since(start)-timeout-<-lateness))
		checkCall(t, err, ipc.ErrTimeout, ipc.PhaseWrite, ipc.MaybeProcessed)
		c.Close()
		server.Close()
	}
	slices.Sort(over)
	if late := over[len(over)/2]; late > 5*time.Millisecond && !raceEnabled {
		t.Errorf("half of the calls took %v or more longer than their deadline", late)
	}
}

// TestDeadlineBesideLargeAnswer gives up calls while another gets a large answer on their connection.
func TestDeadlineBesideLargeAnswer(t *testing.T) {
	const timeout = 2 * time.Millisecond
	s := newServer(t, nil)
	want := testkit.Bytes(testkit.Rand(t), 64<<20)
	s.Handle(5, func(context.Context, *ipc.Request) (*ipc.Response, error) { return &ipc.Response{Payload: want}, nil })
	s.Handle(6, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	c := ipctest.Client(t, s, nil)
	var over []time.Duration
	for range 5 {
		debug.FreeOSMemory() // memory of the answers before would be there at once
		answered := make(chan bool)
		go func() { // ends with its answer
			defer close(answered)
			b, err := c.Call(context.Background(), 5, nil)
			if err != nil || !bytes.Equal(b, want) {
				t.Errorf("%d bytes came, %v", len(b), err)
			}
		}()
		worst := time.Duration(0)
		for gone := false; !gone; {
			lateness := busyness(timeout)
			start := time.Now()
			if _, err := c.CallAppend(nil, 6, nil, timeout); err == nil {
				t.Error("a call that is never answered was")
			}
			worst = max(worst, time.Since(start)-timeout-<-lateness)
			select {
			case <-answered:
				gone = true
			default:
			}
		}
		over = append(over, worst)
	}
	slices.Sort(over)
	if late := over[len(over)/2]; late > 5*time.Millisecond && !raceEnabled {
		t.Errorf("calls took up to %v longer than their deadline", over)
	}
}

// busyness tells how late a timer is that does nothing: that much the machine is to blame for.
func busyness(d time.Duration) <-chan time.Duration {
	late, start := make(chan time.Duration, 1), time.Now()
	go func() { // ends with the timer
		<-time.After(d)
		late <- time.Since(start) - d
	}()
	return late
}

func callFor(t *testing.T, c *ipc.Client, how string, payload []byte, timeout time.Duration) error {
	ctx := t.Context()
	switch how {
	case "timeout":
		_, err := c.CallAppend(nil, 1, payload, timeout)
		return err
	case "context":
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	case "cancel":
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer time.AfterFunc(timeout, cancel).Stop()
	}
	_, err := c.Call(ctx, 1, payload)
	return err
}

// occupy makes calls that never end: of all slots, or one that fills the connection.
func occupy(t *testing.T, c *ipc.Client, what string) {
	t.Helper()
	n, size := 256, 1
	if what == "turn" {
		n, size = 1, 8<<20
	}
	for range n {
		started := make(chan struct{})
		go func() { // ends when the client is closed
			close(started)
			c.Call(context.Background(), 1, make([]byte, size))
		}()
		<-started
	}
	for { // until the last one is on its way
		if ipc.Running(c) >= n && (what != "turn" || ipc.Writing(c)) {
			return
		}
		<-time.After(time.Millisecond) // no event tells of it
	}
}

// hooked is a context that tells when somebody begins to wait for its end, and when they no longer do.
type hooked struct {
	context.Context
	done       chan struct{}
	begin, end func()
}

func newHooked(ctx context.Context) *hooked {
	return &hooked{ctx, make(chan struct{}), func() {}, func() {}}
}

func (h *hooked) Done() <-chan struct{} { return h.done }

// AfterFunc is what package context calls; f is never called.
func (h *hooked) AfterFunc(func()) (stop func() bool) {
	h.begin()
	return func() bool { h.end(); return true }
}

// early is a context that ends before the deadline that it tells, once somebody has asked whether it has.
type early struct {
	context.Context
	asked sync.Once
	done  chan struct{}
}

func (*early) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

func (e *early) Done() <-chan struct{} { return e.done }

func (e *early) Err() (err error) {
	err = context.DeadlineExceeded
	e.asked.Do(func() {
		close(e.done)
		err = nil
	})
	return err
}

// TestNothingWaitsOn makes calls that connect again to nobody: whatever waited for the end of their context no longer does.
func TestNothingWaitsOn(t *testing.T) {
	client, server := ipctest.Pair(t)
	c, err := ipc.NewClient(client, &ipc.ClientOptions{
		Redial: func(context.Context) (*os.File, error) { return nil, ipc.ErrNotRunning }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server.Close()
	var begun, ended atomic.Int64
	ctx := newHooked(t.Context())
	ctx.begin, ctx.end = func() { begun.Add(1) }, func() { ended.Add(1) }
	for range 3 {
		if _, err := c.Call(ctx, 1, nil); !errors.Is(err, ipc.ErrNotRunning) {
			t.Errorf("the call says %v", err)
		}
	}
	if begun.Load() == 0 || begun.Load() != ended.Load() {
		t.Errorf("%d began to wait, %d no longer do", begun.Load(), ended.Load())
	}
}

// TestContextEndsEarly has a context that ends before its deadline has come by our clock, while the call waits for
// the turn to write: it ends without having it.
func TestContextEndsEarly(t *testing.T) {
	c := against(t, nil, untilClosed)
	release := ipc.TakeTurn(c)
	ctx := &early{Context: t.Context(), done: make(chan struct{})}
	called := make(chan error, 1)
	go func() { // ends with the call, or with the client
		_, err := c.Call(ctx, 1, make([]byte, 64<<10))
		called <- err
	}()
	select {
	case err := <-called:
		checkCall(t, err, ipc.ErrTimeout, ipc.PhaseWrite, ipc.NotProcessed)
	case <-time.After(10 * time.Second):
		t.Fatal("the call writes while another has the turn")
	}
	release()
}

// TestClockIsSet makes calls whose deadline is a time of the system's clock, which has been set since the process began.
func TestClockIsSet(t *testing.T) {
	for name, d := range map[string]time.Duration{"back": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			defer ipc.SetClock(d)()
			budget := make(chan uint32, 1)
			c := against(t, nil, func(f *os.File) {
				request := next(f)
				budget <- request.Extra
				f.Write(frame(answer(request, "")))
				untilClosed(f)
			})
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Minute).Round(0))
			defer cancel()
			if _, err := c.Call(ctx, 1, nil); err != nil {
				t.Fatalf("the call says %v", err)
			}
			if left := time.Duration(<-budget) * time.Millisecond; left > time.Minute || left < time.Minute/2 {
				t.Errorf("the server is given %v", left)
			}
			c.Close()
		})
	}
}

// silent is a context that ends for lack of time, and tells no deadline.
type silent struct {
	context.Context
	done chan struct{}
}

func (s *silent) Done() <-chan struct{} { return s.done }

func (s *silent) Err() error {
	select {
	case <-s.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestContextWithoutDeadline has a context that ends while the request is written to a server that reads too slowly: the
// server is not taken for wedged, and the connection goes on.
func TestContextWithoutDeadline(t *testing.T) {
	read := make(chan struct{})
	c := against(t, nil, func(f *os.File) {
		<-read
		for got := next(f); got.Kind != 0; got = next(f) {
			if got.Op == 2 {
				f.Write(frame(answer(got, "")))
			}
		}
	})
	ctx := &silent{context.Background(), make(chan struct{})}
	called := make(chan error, 1)
	go func() { // ends with the context
		_, err := c.Call(ctx, 1, make([]byte, 8<<20))
		called <- err
	}()
	for !ipc.Writing(c) {
		<-time.After(time.Millisecond)
	}
	<-time.After(20 * time.Millisecond) // until it waits for the server
	close(ctx.done)
	checkCall(t, <-called, ipc.ErrTimeout, ipc.PhaseWrite, ipc.MaybeProcessed)
	close(read)
	if _, err := c.CallAppend(nil, 2, nil, 20*time.Second); err != nil {
		t.Errorf("the next call says %v", err)
	}
}

// TestBudgetTravels holds that the handler's deadline is the caller's, and that its context ends then.
func TestBudgetTravels(t *testing.T) {
	s := newServer(t, nil)
	s.Handle(5, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		at, ok := ctx.Deadline()
		if left := time.Until(at); !ok || left > time.Minute || left < time.Minute/2 {
			return nil, errors.New("deadline in " + left.String())
		}
		return nil, nil
	})
	s.Handle(6, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		<-ctx.Done()
		if ctx.Err() != context.DeadlineExceeded {
			return nil, ctx.Err()
		}
		return nil, nil
	})
	s.Handle(7, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		for ctx.Err() == nil { // also where nobody waits for it
			runtime.Gosched()
		}
		if ctx.Err() != context.DeadlineExceeded {
			return nil, ctx.Err()
		}
		return nil, nil
	})
	client := rawClient(t, s, 1)
	for op, budget := range map[uint16]uint32{5: 60_000, 6: 40, 7: 40} {
		client.Write(ipc.RawFrame{Kind: ipc.KindRequest, Op: op, Extra: budget}.Append(nil))
		f, err := ipc.ReadRawFrame(client)
		if err != nil || f.Kind != ipc.KindResponse {
			t.Errorf("operation %d: frame %d %q, %v", op, f.Kind, f.Payload, err)
		}
	}
}

// TestHandlerContext holds that a handler learns when its caller gives up, and when it dies.
func TestHandlerContext(t *testing.T) {
	s := newServer(t, nil)
	began, ended := make(chan struct{}), make(chan error, 1)
	s.Handle(5, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		began <- struct{}{}
		<-derived.Done()
		ended <- ctx.Err()
		return nil, nil
	})
	for _, how := range []string{"gives up", "dies"} {
		t.Run(how, func(t *testing.T) {
			c := ipctest.Client(t, s, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			called := make(chan error)
			go func() { // ends when the call does
				_, err := c.Call(ctx, 5, nil)
				called <- err
			}()
			<-began
			if how == "dies" {
				c.Close()
			} else {
				cancel()
			}
			if err := <-called; ipc.OutcomeOf(err) != ipc.MaybeProcessed {
				t.Errorf("the call says %v", err)
			}
			if err := <-ended; err != context.Canceled {
				t.Errorf("the handler's context says %v", err)
			}
		})
	}
}

// TestContextEndsWithHandler holds that what a handler has started and left behind learns of its end.
func TestContextEndsWithHandler(t *testing.T) {
	s, left := newServer(t, nil), make(chan context.Context, 1)
	s.Handle(5, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		derived, cancel := context.WithCancel(ctx)
		context.AfterFunc(derived, cancel)
		left <- derived
		return nil, nil
	})
	c := ipctest.Client(t, s, nil)
	for range 3 { // the later ones must not be taken for it
		if _, err := c.Call(t.Context(), 5, nil); err != nil {
			t.Fatal(err)
		}
		ctx := <-left
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Second):
			t.Error("the context of a handler that has returned goes on")
		}
	}
}

// TestDeadlineWhileConnecting has a client that connects again and finds nobody.
func TestDeadlineWhileConnecting(t *testing.T) {
	client, server := ipctest.Pair(t)
	server.Close()
	c, err := ipc.NewClient(client, &ipc.ClientOptions{
		Allow: func(ipc.Peer) bool { return true },
		Redial: func(ctx context.Context) (*os.File, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const patience = 300 * time.Millisecond // the first call has to find out that the old connection is dead
	for how, want := range map[string]error{
		"timeout": ipc.ErrTimeout, "context": context.DeadlineExceeded, "cancel": context.Canceled,
	} {
		start := time.Now()
		checkCall(t, callFor(t, c, how, nil, patience), want, ipc.PhaseConnect, ipc.NotProcessed)
		if took := time.Since(start); took < patience*3/4 || took > 2*time.Second {
			t.Errorf("%s: that took %v", how, took)
		}
	}
	waiting := later(c, 1, "")
	c.Close()
	if err := <-waiting; !errors.Is(err, ipc.ErrClosed) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("a call that connects when the client closes says %v", err)
	}
}

// TestDeadlineWhileAnotherReads gives up calls whose answers another caller would read. A slot is
// used again while the timer of the call before is still set: it rings for nothing and is set anew.
func TestDeadlineWhileAnotherReads(t *testing.T) {
	s, began, release := newServer(t, nil), make(chan struct{}, 4), make(chan struct{})
	s.Handle(5, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		began <- struct{}{}
		<-release
		return nil, nil
	})
	c := ipctest.Client(t, s, nil)
	reader, others := make(chan error, 1), make(chan error, 1)
	call := func(op uint16, timeout time.Duration) error {
		_, err := c.CallAppend(nil, op, nil, timeout)
		return err
	}
	go func() { reader <- call(5, time.Minute) }() // ends with release
	<-began
	go func() { // ends with its calls
		for range 3 {
			if err := call(opEcho, 30*time.Millisecond); err != nil && !errors.Is(err, ipc.ErrTimeout) {
				others <- err
				return
			}
			if err := call(5, 90*time.Millisecond); !errors.Is(err, ipc.ErrTimeout) {
				others <- err
				return
			}
		}
		others <- nil
	}()
	select {
	case err := <-others:
		if err != nil {
			t.Errorf("a call beside the one that reads: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a call beside the one that reads hangs")
	}
	close(release)
	if err := <-reader; err != nil {
		t.Errorf("the call that reads: %v", err)
	}
}
