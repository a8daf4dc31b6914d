package ipc_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestBusy fills each limit and looks that control operations are answered all the same.
func TestBusy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits ipc.Limits
		size   int
		want   error
	}{
		{"calls of all connections", ipc.Limits{Calls: 2}, 1, ipc.ErrBusy},
		{"connections", ipc.Limits{Connections: 2}, 1, ipc.ErrBusy},
		{"memory", ipc.Limits{Memory: 1000}, 1001, ipc.ErrBusy},
		{"message", ipc.Limits{MaxMessage: 1000}, 1001, ipc.ErrTooLarge},
		{"message in pieces", ipc.Limits{MaxMessage: 300 << 10}, 300<<10 + 1, ipc.ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, began, release := holdingServer(t, &ipc.ServerOptions{Limits: tc.limits})
			first, second := ipctest.Client(t, s, nil), ipctest.Client(t, s, nil)
			one, two := later(first, opHold, "a"), later(second, opHold, "b")
			<-began
			<-began
			third := ipctest.Client(t, s, nil)
			_, err := third.Call(t.Context(), opEcho, make([]byte, tc.size))
			if !errors.Is(err, tc.want) || ipc.OutcomeOf(err) != ipc.NotProcessed {
				t.Errorf("a call beyond the limit says %v", err)
			}
			for _, c := range []*ipc.Client{first, third} {
				if err := c.Ping(t.Context()); err != nil {
					t.Errorf("ping says %v", err)
				}
				st, err := c.Status(t.Context())
				if err != nil || st.Running != 2 || st.Refused == 0 || st.State != ipc.Ready {
					t.Errorf("status %+v, %v", st, err)
				}
			}
			close(release)
			if err := errors.Join(<-one, <-two); err != nil {
				t.Error(err)
			}
			settled(t, s)
		})
	}
}

// TestConnectionsAreRefusedOnce fills the connections, and those that are spare for control operations.
func TestConnectionsAreRefusedOnce(t *testing.T) {
	const spare = 64
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{Connections: 1}})
	for i := range int64(1 + spare + 1) {
		err := ipctest.Client(t, s, nil).Ping(t.Context())
		if last := i == 1+spare; errors.Is(err, ipc.ErrBusy) != last || !last && err != nil {
			t.Errorf("ping %d says %v", i, err)
		}
		if got := s.Status().Refused; got != i {
			t.Errorf("%d connections count as %d that are refused", i, got)
		}
	}
}

// TestGivenUpCallsCount gives calls up whose handlers go on: they count until these return.
func TestGivenUpCallsCount(t *testing.T) {
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: 2}})
	began, release := make(chan struct{}), make(chan struct{})
	s.Handle(5, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		began <- struct{}{}
		<-release
		return nil, nil
	})
	f := rawClient(t, s, 2)
	for gen := range uint32(2) {
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: 5, Gen: gen}))
		<-began
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindCancel, Gen: gen}))
	}
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Gen: 2}))
	if got := next(f); got.Kind != ipc.KindError || got.Gen != 2 || got.Payload[0] != ipc.CodeBusy {
		t.Errorf("frame %+v", got)
	}
	close(release)
	settled(t, s)
}

// TestGivenUpCallIsNotAnswered gives a call up in both ways: its handler learns of it, and what that
// returns is not sent.
func TestGivenUpCallIsNotAnswered(t *testing.T) {
	for name, next := range map[string]ipc.RawFrame{
		"cancel":                       {Kind: ipc.KindCancel, Slot: 3},
		"another request for the slot": {Kind: ipc.KindRequest, Op: opEcho, Slot: 3, Gen: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, began, _ := holdingServer(t, nil)
			f := rawClient(t, s, 2)
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opHold, Slot: 3}))
			<-began
			f.Write(frame(next))
			settled(t, s)
			f.Write(frame(request(4, "still there")))
			for {
				got, err := ipc.ReadRawFrame(f)
				if err != nil || got.Slot == 3 && got.Gen == 0 {
					t.Fatalf("frame %+v, %v", got, err)
				}
				if got.Slot == 4 {
					return
				}
			}
		})
	}
}

// TestUnreadAnswersCount makes calls whose answers are not read: they count until these are written, but
// as half.
func TestUnreadAnswersCount(t *testing.T) {
	for name, limits := range map[string]ipc.Limits{"connection": {CallsPerConnection: 2}, "server": {Calls: 2}} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, &ipc.ServerOptions{Limits: limits})
			f := rawClient(t, s, 2)
			for i := range int64(4) {
				f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Gen: uint32(i), Payload: make([]byte, 1<<20)}))
				for held, _ := ipc.Held(s); held != i+1 || s.Status().Running > 0; held, _ = ipc.Held(s) {
					<-time.After(time.Millisecond) // until the handler has returned
				}
			}
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Gen: 4}))
			got := next(f)
			for got.Gen != 4 {
				got = next(f)
			}
			if got.Kind != ipc.KindError || got.Payload[0] != ipc.CodeBusy {
				t.Errorf("frame of kind %d, %q", got.Kind, got.Payload)
			}
		})
	}
}

// TestSlotsOfTheConnection holds all of a connection's slots: a further call waits in the client, and
// a client that does not keep to them is told that the server is busy.
func TestSlotsOfTheConnection(t *testing.T) {
	s, began, release := holdingServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: 2}})
	c := ipctest.Client(t, s, nil)
	if err := c.Ping(t.Context()); err != nil { // it now knows the limit
		t.Fatal(err)
	}
	one, two := later(c, opHold, "a"), later(c, opHold, "b")
	<-began
	<-began
	_, err := c.CallAppend(nil, opEcho, nil, 20*time.Millisecond)
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseQueue, ipc.NotProcessed)
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("with all slots full, ping says %v", err)
	}
	raw := rawClient(t, s, 2)
	for i := range uint32(3) {
		raw.Write(ipc.RawFrame{Kind: ipc.KindRequest, Op: opHold, Slot: i, Payload: []byte("x")}.Append(nil))
	}
	f, err := ipc.ReadRawFrame(raw)
	if err != nil || f.Kind != ipc.KindError || f.Slot != 2 || f.Payload[0] != ipc.CodeBusy {
		t.Errorf("frame %+v, %v", f, err)
	}
	close(release)
	if err := errors.Join(<-one, <-two); err != nil {
		t.Error(err)
	}
}

// TestSlotsGivenUpEarly gives up calls before the server has told how many slots there are: what it does not allow is not
// used afterwards.
func TestSlotsGivenUpEarly(t *testing.T) {
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: 1}})
	client, server := ipctest.Pair(t)
	c, err := ipc.NewClient(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() { c.CallAppend(nil, opEcho, nil, 20*time.Millisecond) })
	}
	calls.Wait()
	calls.Go(func() { s.ServeConn(server) }) // ends with the client
	defer calls.Wait()
	defer c.Close()
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	for range 3 {
		if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
			t.Errorf("the only call says %v", err)
		}
	}
}

// TestQueueGivenUp has calls that give up in the queue for the only slot, some just when they are given it: it is
// not lost.
func TestQueueGivenUp(t *testing.T) {
	c := ipctest.Conn(t, newServer(t, nil), nil)
	impatient := make(chan struct{})
	go func() {
		defer close(impatient)
		for i := range 20_000 {
			_, err := c.CallAppend(nil, opEcho, nil, time.Duration(1+i%100)*time.Microsecond)
			if err != nil && !errors.Is(err, ipc.ErrTimeout) {
				t.Error(err)
			}
		}
	}()
	defer func() { <-impatient }()
	for gone := false; !gone; {
		if _, err := c.CallAppend(nil, opEcho, nil, 20*time.Second); err != nil {
			t.Fatal(err)
		}
		select {
		case <-impatient:
			gone = true
		default:
		}
	}
}
