package ipc_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

func TestHistogram(t *testing.T) {
	h := ipc.Histogram{0: 50, 3: 40, 10: 10}
	if h.Total() != 100 {
		t.Errorf("%d calls, want 100", h.Total())
	}
	for q, want := range map[float64]time.Duration{
		0: time.Microsecond, 0.49: time.Microsecond, 0.6: 8 * time.Microsecond, 0.89: 8 * time.Microsecond,
		0.95: 1024 * time.Microsecond, 1: 1024 * time.Microsecond,
	} {
		if got := h.Quantile(q); got != want {
			t.Errorf("a part of %v took up to %v, want %v", q, got, want)
		}
	}
	if none := new(ipc.Histogram); none.Total() != 0 || none.Quantile(0.5) != 0 {
		t.Errorf("without calls: %d, %v", none.Total(), none.Quantile(0.5))
	}
}

// TestStatusCounts looks at the figures while calls of each kind run, and after.
func TestStatusCounts(t *testing.T) {
	s, began, release := holdingServer(t, nil)
	s.HandleStream(opStuck, func(ctx context.Context, _ *ipc.Request, _ *ipc.Stream) error {
		began <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	c := ipctest.Client(t, s, nil)
	held := later(c, opHold, "x")
	st := open(t, c, opStuck, "")
	<-began
	<-began
	lease := s.Lease()
	got, err := c.Status(t.Context())
	if err != nil || got.Connections != 1 || got.Running != 2 || got.Streams != 1 || got.Leases != 1 || got.Calls != 2 ||
		got.Failed != 0 || got.Refused != 0 || got.Latency.Total() != 0 || got.Uptime <= 0 {
		t.Errorf("meanwhile %+v, %v", got, err)
	}
	<-time.After(20 * time.Millisecond)
	close(release)
	lease()
	lease() // once more counts for nothing
	st.Close()
	if err := <-held; err != nil {
		t.Error(err)
	}
	settled(t, s)
	got = s.Status()
	if got.Calls != 2 || got.Failed != 1 || got.Leases != 0 || got.Latency.Total() != 2 {
		t.Errorf("afterwards %+v", got)
	}
	if short := got.Latency.Quantile(0); short < 20*time.Millisecond {
		t.Errorf("the shortest of calls that took 20 ms counts as one of less than %v", short)
	}
}

// TestControlOneAtATime has a control operation wait for another one until its context ends. It gives up with the error
// that other calls do.
func TestControlOneAtATime(t *testing.T) {
	asked := make(chan struct{})
	c := against(t, nil, func(f *os.File) {
		next(f)
		close(asked)
		untilClosed(f)
	})
	first := make(chan error, 1)
	go func() { first <- c.Ping(t.Context()) }() // ends with its time, or with the client
	<-asked
	err := c.Ping(&early{Context: t.Context(), done: make(chan struct{})})
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseQueue, ipc.NotProcessed)
	c.Close()
	if err := <-first; !errors.Is(err, ipc.ErrClosed) && !errors.Is(err, ipc.ErrTimeout) {
		t.Errorf("the first one says %v", err)
	}
}

// TestLongTexts has texts that are cut, because an acknowledgement has to hold them.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 1<<16)
	s, began, release := holdingServer(t, &ipc.ServerOptions{Version: long})
	s.Handle(5, func(context.Context, *ipc.Request) (*ipc.Response, error) { return nil, errors.New(long) })
	c := ipctest.Client(t, s, nil)
	_, err := c.Call(t.Context(), 5, nil)
	remote, ok := errors.AsType[*ipc.RemoteError](err)
	if !ok || remote.Code != ipc.CodeFailed || remote.Message != long[:64<<10-4] {
		t.Errorf("an error of %d bytes comes with %d", len(long), len(err.Error()))
	}
	held := later(c, opHold, "x")
	<-began
	letters := "a" + strings.Repeat("ä", 1<<10) // of two bytes each
	if err := c.Shutdown(t.Context(), letters); err != nil {
		t.Error(err)
	}
	st, err := c.Status(t.Context())
	if err != nil || st.Version != long[:1<<10] || st.Reason != letters[:1<<10-1] {
		t.Errorf("version and reason come with %d and %d bytes, %v", len(st.Version), len(st.Reason), err)
	}
	close(release)
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// TestLongErrors has handlers say more than is kept: it comes in one frame.
func TestLongErrors(t *testing.T) {
	s := newServer(t, nil)
	fail := func(context.Context, *ipc.Request) (*ipc.Response, error) {
		return nil, errors.New(strings.Repeat("x", 300<<10))
	}
	s.Handle(5, fail)
	s.HandleFast(6, fail)
	c := rawClient(t, s, 2)
	for _, op := range []uint16{5, 6} {
		c.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: op, Slot: uint32(op)}))
		if f := next(c); f.Kind != ipc.KindError || f.Flags != 0 || len(f.Payload) != 64<<10 {
			t.Errorf("operation %d: a frame of kind %d, flags %d, %d bytes", op, f.Kind, f.Flags, len(f.Payload))
		}
	}
}

func TestInstance(t *testing.T) {
	const own = "000102030405060708090a0b0c0d0eff"
	seen := map[string]bool{}
	for _, tc := range []struct {
		name, given string
		kept        bool
	}{
		{"none", "", false},
		{"own", own, true},
		{"short", own[2:], false},
		{"long", own + "00", false},
		{"upper case", strings.ToUpper(own), false},
		{"no number", strings.Repeat("x", 32), false},
		{"none again", "", false},
	} {
		s := newServer(t, &ipc.ServerOptions{Instance: tc.given})
		got := s.Info().Instance
		if len(got) != 32 || (got == tc.given) != tc.kept || seen[got] {
			t.Errorf("%s: instance %s", tc.name, got)
		}
		seen[got] = true
	}
}

// TestEndEvents ends servers in each way and reads the event that says so.
func TestEndEvents(t *testing.T) {
	for _, tc := range []struct {
		kind, reason string
		end          func(t *testing.T, s *ipc.Server, ep ipc.Endpoint, cancel func())
	}{
		{ipc.EventDraining, "by the host", func(t *testing.T, s *ipc.Server, _ ipc.Endpoint, _ func()) {
			if err := s.Drain(t.Context(), "by the host"); err != nil {
				t.Error(err)
			}
		}},
		{ipc.EventDiedRequest, "by a client", func(t *testing.T, _ *ipc.Server, ep ipc.Endpoint, _ func()) {
			c, err := ipc.DialConn(t.Context(), ep, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Shutdown(t.Context(), "by a client"); err != nil {
				t.Error(err)
			}
		}},
		{ipc.EventDiedCancelled, "", func(_ *testing.T, _ *ipc.Server, _ ipc.Endpoint, cancel func()) { cancel() }},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			var mu sync.Mutex
			var events []ipc.Event
			s := newServer(t, &ipc.ServerOptions{Version: "1.2.3", Events: func(e ipc.Event) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e)
			}})
			ep := ipctest.Endpoint(t)
			l, err := ipc.Listen(ep, nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			served := make(chan error, 1)
			go func() { served <- s.Serve(ctx, l) }() // ends with the drain
			c, err := ipc.Dial(t.Context(), ep, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
				t.Fatal(err)
			}
			c.Close()
			tc.end(t, s, ep, cancel)
			if err := <-served; err != nil {
				t.Error(err)
			}
			if len(events) != 1 {
				t.Fatalf("events %+v", events)
			}
			e := events[0]
			if e.Kind != tc.kind || e.Reason != tc.reason || e.Count != 1 || e.Took <= 0 || e.Time.IsZero() ||
				e.Version != "1.2.3" || e.Instance != s.Info().Instance || e.Server != e.PID || e.PID == 0 {
				t.Errorf("event %+v", e)
			}
		})
	}
}

// TestOnRefuse stops a listener twice.
func TestOnRefuse(t *testing.T) {
	n := 0
	l, err := ipc.Listen(newEndpoint(t, "a"), &ipc.ListenOptions{OnRefuse: func() { n++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		if err := l.Refuse(); err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("the hook ran %d times", n)
	}
}

// TestLatencyOfWaiting has a call that waits behind another that was read with it: the wait counts.
func TestLatencyOfWaiting(t *testing.T) {
	s := newServer(t, nil)
	s.HandleFast(5, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		<-time.After(20 * time.Millisecond)
		return nil, nil
	})
	c := rawClient(t, s, 2)
	both := ipc.RawFrame{Kind: ipc.KindRequest, Op: 5}.Append(nil)
	both = ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Slot: 1}.Append(both)
	if _, err := c.Write(both); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if f, err := ipc.ReadRawFrame(c); err != nil || f.Kind != ipc.KindResponse {
			t.Fatalf("frame %+v, %v", f, err)
		}
	}
	settled(t, s)
	st := s.Status()
	if short := st.Latency.Quantile(0); short < 20*time.Millisecond {
		t.Errorf("a call that waited for 20 ms counts as one of less than %v", short)
	}
}
