package ipc_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

const (
	opOnce  = 20 // notes the id that begins the payload, and answers the payload
	opNever = 21 // notes it, and answers when its context ends
	opTwice = 22 // notes it, and copies the stream behind the payload
)

// cuts is a server that notes what it runs, and connections to it that end anywhere.
type cuts struct {
	t      *testing.T
	server *ipc.Server
	mu     sync.Mutex
	rng    *rand.Rand     // guarded by mu
	ran    []atomic.Int32 // by id
	ended  []error
	next   atomic.Int64
}

// TestCutConnections makes calls and streams whose connections end after any number of bytes in either direction, whose
// time is up, or whose callers give up: what returns is right, what is said not to have been processed never ran, and
// nothing runs twice.
func TestCutConnections(t *testing.T) {
	const callers = 8
	calls := 100
	if long {
		calls = 2000
	}
	c := &cuts{t: t, rng: testkit.Rand(t), ran: make([]atomic.Int32, callers*calls), ended: make([]error, callers*calls)}
	c.server = ipc.NewServer(nil)
	note := func(req *ipc.Request) { c.ran[binary.LittleEndian.Uint64(req.Payload)].Add(1) }
	c.server.Handle(opOnce, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		note(req)
		return req.Reply(req.Payload), nil
	})
	c.server.Handle(opNever, func(ctx context.Context, req *ipc.Request) (*ipc.Response, error) {
		note(req)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	c.server.HandleStream(opTwice, func(_ context.Context, req *ipc.Request, st *ipc.Stream) error {
		note(req)
		_, err := io.Copy(st, st)
		return err
	})
	first, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := ipc.NewClient(first, &ipc.ClientOptions{Redial: c.dial})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range callers {
		rng := c.rand()
		group.Go(func() {
			for range calls {
				c.call(client, rng)
			}
		})
	}
	group.Wait()
	client.Close()
	c.server.Close()
	c.judge()
}

// rand returns a source for one goroutine.
func (c *cuts) rand() *rand.Rand {
	c.mu.Lock()
	defer c.mu.Unlock()
	return rand.New(rand.NewPCG(c.rng.Uint64(), 1))
}

// dial makes a connection that ends after some bytes, or is whole.
func (c *cuts) dial(context.Context) (*os.File, error) {
	client, inner := ipctest.Pair(c.t)
	up, server := ipctest.Pair(c.t)
	go c.server.ServeConn(server) // ends with up
	go c.pump(up, inner)
	go c.pump(inner, up)
	return client, nil
}

// pump copies until either end is closed or as many bytes are through as chance has it, and closes both.
func (c *cuts) pump(to, from *os.File) {
	rng := c.rand()
	left := []int{1 + rng.IntN(200), 1 + rng.IntN(100<<10), 1 + rng.IntN(20<<20), math.MaxInt}[rng.IntN(4)]
	piece := []int{1 + rng.IntN(50), 64 << 10}[rng.IntN(2)]
	defer to.Close()
	defer from.Close()
	if left > 100<<10 { // or it takes minutes
		piece = 64 << 10
	}
	b := make([]byte, piece)
	for left > 0 {
		n, err := from.Read(b[:min(len(b), left)])
		if err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
		left -= n
	}
}

// call makes one call of a random kind.
func (c *cuts) call(client *ipc.Client, rng *rand.Rand) {
	id := c.next.Add(1) - 1
	payload := testkit.Bytes(rng, 8+[]int{0, 100, 5000, 600 << 10}[rng.IntN(4)])
	binary.LittleEndian.PutUint64(payload, uint64(id))
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	var err error
	switch rng.IntN(8) {
	case 0:
		ctx, stop := context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Microsecond)
		defer stop()
		_, err = client.Call(ctx, opNever, payload)
	case 1:
		time.AfterFunc(time.Duration(rng.IntN(2000))*time.Microsecond, cancel)
		_, err = client.Call(ctx, opNever, payload)
	case 2, 3:
		err = c.stream(ctx, client, payload)
	default:
		var got []byte
		if got, err = client.Call(ctx, opOnce, payload); err == nil && !bytes.Equal(got, payload) {
			c.t.Errorf("call %d: %d other bytes for %d", id, len(got), len(payload))
		}
	}
	c.ended[id] = err
}

func (c *cuts) stream(ctx context.Context, client *ipc.Client, payload []byte) error {
	st, err := client.Open(ctx, opTwice, payload[:8])
	if err != nil {
		return err
	}
	defer st.Close()
	wrote := make(chan error, 1)
	go func() { // ends with the stream
		_, err := st.Write(payload)
		wrote <- errors.Join(err, st.CloseWrite())
	}()
	got, err := io.ReadAll(st)
	if err != nil {
		st.Close()
	}
	if werr := <-wrote; err == nil && werr != nil {
		err = fmt.Errorf("all came back, and the write failed: %w", werr)
	}
	if err == nil && !bytes.Equal(got, payload) {
		c.t.Errorf("stream: %d other bytes for %d", len(got), len(payload))
	}
	return err
}

// judge looks at all calls, now that no handler runs any more.
func (c *cuts) judge() {
	failed := map[ipc.Outcome]int{}
	for id, err := range c.ended {
		want := int32(1)
		if err != nil {
			failed[ipc.OutcomeOf(err)]++
		}
		if err != nil && ipc.OutcomeOf(err) == ipc.NotProcessed {
			want = 0
		}
		if n := c.ran[id].Load(); n > want || n < want && err == nil || errors.Is(err, ipc.ErrProtocol) {
			c.t.Errorf("call %d ran %d times: %v", id, n, err)
		}
	}
	c.t.Logf("of %d calls %d may have been processed, %d were not, %d were answered with an error",
		len(c.ended), failed[ipc.MaybeProcessed], failed[ipc.NotProcessed], failed[ipc.Answered])
	if n := failed[ipc.MaybeProcessed]; n == 0 || n > len(c.ended)*3/4 {
		c.t.Errorf("%d of %d calls were cut", n, len(c.ended))
	}
}
