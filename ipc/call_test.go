package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

const (
	opEcho = 1 + iota
	opFast
	opBuilt // echoes what it has built in the request's buffer
)

func echo(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
	return req.Reply(req.Payload), nil
}

// newServer returns a server that echoes and ends with the test.
func newServer(t testing.TB, o *ipc.ServerOptions) *ipc.Server {
	t.Helper()
	if o == nil {
		o = new(ipc.ServerOptions)
	}
	if o.Events == nil {
		o.Events = func(e ipc.Event) {
			if e.Kind == ipc.EventBroken {
				t.Errorf("a connection broke: %v", e.Err)
			}
		}
	}
	s := ipc.NewServer(o)
	s.Handle(opEcho, echo)
	s.HandleFast(opFast, echo)
	s.Handle(opBuilt, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		return req.Reply(append(req.Buffer(), req.Payload...)), nil
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// serving has a server listen at an endpoint of its own. The channel has room for what Serve returns.
func serving(t *testing.T, s *ipc.Server) (ipc.Endpoint, *ipc.Listener, <-chan error) {
	t.Helper()
	ep := ipctest.Endpoint(t)
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }() // ends with the server
	return ep, l, served
}

var sizes = []int{0, 1, 255, 4 << 10, 16<<10 + 1, 64 << 10, 256<<10 - 1, 256 << 10, 256<<10 + 1, 1 << 20, 3<<20 + 7}

// caller is what Conn and Client have in common.
type caller interface {
	Call(ctx context.Context, op uint16, payload []byte) ([]byte, error)
}

func TestCallSizes(t *testing.T) {
	s := newServer(t, nil)
	for name, c := range map[string]caller{
		"lockstep":    ipctest.Conn(t, s, nil),
		"multiplexed": ipctest.Client(t, s, nil),
	} {
		for _, op := range []uint16{opEcho, opFast, opBuilt} {
			for _, n := range sizes {
				t.Run(name+"/"+strconv.Itoa(int(op))+"/"+strconv.Itoa(n), func(t *testing.T) {
					want := testkit.Bytes(testkit.Rand(t), n)
					got, err := c.Call(t.Context(), op, want)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, want) {
						t.Fatalf("%d bytes came back, of %d", len(got), n)
					}
				})
			}
		}
	}
}

// TestCallOfTheLibrary makes calls of operation 0, as a host does whose operations begin with it: they fail, and nothing else
// on the connection does.
func TestCallOfTheLibrary(t *testing.T) {
	s := newServer(t, nil)
	begun, end := make(chan bool), make(chan bool)
	s.Handle(30, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		close(begun)
		<-end
		return nil, nil
	})
	c := ipctest.Client(t, s, nil)
	other := make(chan error)
	go func() {
		_, err := c.Call(t.Context(), 30, nil)
		other <- err
	}()
	<-begun
	for _, payload := range [][]byte{nil, {3}} { // three is to shut down
		_, err1 := c.Call(t.Context(), 0, payload)
		_, err2 := c.CallFile(t.Context(), 0, payload)
		_, err3 := c.Open(t.Context(), 0, payload)
		for _, err := range []error{err1, err2, err3} {
			if err == nil || ipc.OutcomeOf(err) != ipc.NotProcessed || !strings.Contains(err.Error(), "belongs to the library") {
				t.Errorf("operation 0 of %v: %v", payload, err)
			}
		}
	}
	close(end)
	if err := <-other; err != nil || s.Status().State != ipc.Ready {
		t.Errorf("a call beside: %v; the server is %v", err, s.Status().State)
	}
}

// TestCallGivenUp makes calls whose caller has given up before: no handler sees them, and no server is shut down.
func TestCallGivenUp(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, ctx := range map[string]context.Context{"cancelled": cancelled, "past its deadline": past} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			c := ipctest.Client(t, s, nil)
			for range 20 { // a select that finds several ready takes any
				_, err1 := c.Call(ctx, opEcho, nil)
				_, err2 := c.CallFile(ctx, opEcho, nil)
				_, err3 := c.Open(ctx, opEcho, nil)
				err4 := c.Shutdown(ctx, "given up")
				for i, err := range []error{err1, err2, err3, err4} {
					if !errors.Is(err, ctx.Err()) || ipc.OutcomeOf(err) != ipc.NotProcessed {
						t.Fatalf("call %d: %v, %v", i, err, ipc.OutcomeOf(err))
					}
				}
			}
			if err := c.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if st := s.Status(); st.Calls != 0 || st.Refused != 0 || st.State != ipc.Ready {
				t.Errorf("the server: %+v", st)
			}
		})
	}
}

// TestRequestInTheSpaceForTheAnswer makes calls with one buffer for both, which a server that ends refuses at first: what
// the refusal says is not what is sent to the next server.
func TestRequestInTheSpaceForTheAnswer(t *testing.T) {
	var served sync.WaitGroup
	s := newServer(t, nil)
	c := against(t, &ipc.ClientOptions{Redial: func(context.Context) (*os.File, error) { return pairTo(t, s, &served), nil }},
		func(f *os.File) {
			request := next(f)
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindError, Slot: request.Slot, Gen: request.Gen,
				Payload: ipc.AppendRawError(nil, &ipc.RemoteError{Code: 17, Message: "upgrade"})}))
			untilClosed(f)
		})
	defer served.Wait()
	defer c.Close()
	const want = "what is asked, and answered"
	for range 2 {
		buf := []byte(want)
		if got, err := c.CallAppend(buf[:0], opEcho, buf, 0); string(got) != want || err != nil {
			t.Errorf("the call says %q, %v", got, err)
		}
	}
}

func TestCallsAtOnce(t *testing.T) {
	s := newServer(t, nil)
	c := ipctest.Client(t, s, nil)
	var all sync.WaitGroup
	for i := range 400 { // more than there are slots
		all.Go(func() {
			want := bytes.Repeat([]byte{byte(i)}, 10*i)
			for range 5 {
				if got, err := c.Call(t.Context(), opEcho, want); err != nil || !bytes.Equal(got, want) {
					t.Errorf("call %d: %d bytes, %v", i, len(got), err)
					return
				}
			}
		})
	}
	all.Wait()
}
