package ipc_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// pieces are the sizes of the frames of a message of 600 KiB, by the role of the connection.
var pieces = map[byte][]int{1: {600 << 10}, 2: {256 << 10, 256 << 10, 88 << 10}}

// readPieces reads the frames of one message, the first of which is of a kind.
func readPieces(t *testing.T, f *os.File, kind byte) (first ipc.RawFrame, sizes []int) {
	t.Helper()
	for {
		part, err := ipc.ReadRawFrame(f)
		if err != nil || part.Kind != kind {
			t.Errorf("frame %d is of kind %d, %v", len(sizes), part.Kind, err)
			return first, sizes
		}
		if sizes == nil {
			first = part
		} else if part.Op != 0 || part.Flags&^ipc.FlagMore != 0 || part.Extra != 0 {
			t.Errorf("a later piece repeats what the first one has said: %d, %d, %d", part.Op, part.Flags, part.Extra)
		}
		sizes, kind = append(sizes, len(part.Payload)), ipc.KindPiece
		if part.Flags&ipc.FlagMore == 0 {
			return first, sizes
		}
	}
}

func TestPiecesOfRequests(t *testing.T) {
	for role, want := range pieces {
		client, server := ipctest.Pair(t)
		var c interface {
			CallFile(ctx context.Context, op uint16, payload []byte) (*ipc.File, error)
			Close() error
		}
		var err error
		if role == 1 {
			c, err = ipc.NewConn(client, nil)
		} else {
			c, err = ipc.NewClient(client, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		called := make(chan error, 1)
		go func() { // ends when the client is closed
			_, err := c.CallFile(context.Background(), 7, make([]byte, 600<<10))
			called <- err
		}()
		if err := ipc.ReadRawHello(server); err != nil {
			t.Error(err)
		}
		first, sizes := readPieces(t, server, ipc.KindRequest)
		if !slices.Equal(sizes, want) || first.Op != 7 || first.Extra != 300_000 {
			t.Errorf("role %d: pieces of %v bytes, the first for operation %d", role, sizes, first.Op)
		}
		c.Close()
		if err := <-called; !errors.Is(err, ipc.ErrClosed) {
			t.Error(err)
		}
		server.Close()
	}
}

func TestPiecesOfAnswers(t *testing.T) {
	s := newServer(t, nil)
	for role, want := range pieces {
		f := rawClient(t, s, role)
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Payload: make([]byte, 600<<10)}))
		first, sizes := readPieces(t, f, ipc.KindResponse)
		if later := 600<<10 - want[0]; !slices.Equal(sizes, want) || int(first.Extra) != later {
			t.Errorf("role %d: pieces of %v bytes, %d of them announced as later", role, sizes, first.Extra)
		}
	}
}

// TestPiecesLetOthersThrough has a small answer ready before a large one is read: it comes before
// the end of that.
func TestPiecesLetOthersThrough(t *testing.T) {
	s := newServer(t, nil)
	f := rawClient(t, s, 2)
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Slot: 1, Payload: make([]byte, 16<<20)}))
	part := next(f)
	f.Write(frame(request(2, "small")))
	for calls, _ := ipc.Held(s); calls != 1 || s.Status().Calls != 2; calls, _ = ipc.Held(s) {
		<-time.After(time.Millisecond) // until the small one is answered
	}
	for ; part.Slot == 1; part = next(f) {
		if part.Flags&ipc.FlagMore == 0 {
			t.Fatal("the small answer waits for the whole of the large one")
		}
	}
	if part.Slot != 2 || string(part.Payload) != "small" {
		t.Errorf("between the pieces lies %+v", part)
	}
	f.Close() // the rest is for nobody
}

// TestHelloGoesWithTheFirstRequest holds that a new client costs no message of its own.
func TestHelloGoesWithTheFirstRequest(t *testing.T) {
	client, server := ipctest.Pair(t)
	defer server.Close()
	c, err := ipc.NewClient(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := server.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before the first call came %d bytes, %v", n, err)
	}
	server.SetReadDeadline(time.Time{})
	called := later(c, 1, "question")
	want := len(ipc.RawHello(2)) + ipc.HeaderSize + len("question")
	if n, err := server.Read(b); n != want {
		t.Errorf("with the first call came %d bytes, %v, want %d", n, err, want)
	}
	c.Close()
	<-called
}

// TestConnCallsInTurn makes two calls at once on a connection that has one at a time.
func TestConnCallsInTurn(t *testing.T) {
	client, server := ipctest.Pair(t)
	c, err := ipc.NewConn(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer server.Close()
	calls := []<-chan error{later(c, 1, "x"), later(c, 1, "x")}
	if err := ipc.ReadRawHello(server); err != nil {
		t.Fatal(err)
	}
	first := next(server)
	server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if f, err := ipc.ReadRawFrame(server); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before the first call is answered comes %+v, %v", f, err)
	}
	server.SetReadDeadline(time.Time{})
	server.Write(append(ipc.RawAck(1, 256), frame(answer(first, "x"))...))
	server.Write(frame(answer(next(server), "x")))
	for _, call := range calls {
		if err := <-call; err != nil {
			t.Error(err)
		}
	}
}

// TestMemoryOfLargeAnswers has large answers come in one frame and in many: they take room for what comes and for the
// whole, once each.
func TestMemoryOfLargeAnswers(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size = 8 << 20
	s, response := newServer(t, nil), &ipc.Response{Payload: make([]byte, size)}
	s.Handle(5, func(context.Context, *ipc.Request) (*ipc.Response, error) { return response, nil })
	for name, c := range map[string]caller{"one frame": ipctest.Conn(t, s, nil), "many frames": ipctest.Client(t, s, nil)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := c.Call(t.Context(), 5, nil); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 5*size/2 {
			t.Errorf("%s: %d bytes of memory for %d", name, n, size)
		}
	}
}
