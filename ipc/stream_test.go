package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

const (
	opCopy  = 10 + iota // answers what it reads
	opCount             // reads all and answers the number as text
	opStuck             // reads nothing until its context ends
	opGive              // writes without end
)

func streamServer(t testing.TB, o *ipc.ServerOptions) *ipc.Server {
	t.Helper()
	s := newServer(t, o)
	s.HandleStream(opCopy, func(_ context.Context, req *ipc.Request, st *ipc.Stream) error {
		if _, err := st.Write(req.Payload); err != nil {
			return err
		}
		_, err := io.Copy(st, st)
		return err
	})
	s.HandleStream(opCount, func(_ context.Context, _ *ipc.Request, st *ipc.Stream) error {
		n, err := io.Copy(io.Discard, st)
		fmt.Fprint(st, n)
		return err
	})
	s.HandleStream(opStuck, func(ctx context.Context, _ *ipc.Request, _ *ipc.Stream) error {
		<-ctx.Done()
		return ctx.Err()
	})
	s.HandleStream(opGive, func(_ context.Context, _ *ipc.Request, st *ipc.Stream) error {
		for p := make([]byte, 100<<10); ; {
			if _, err := st.Write(p); err != nil {
				return err
			}
		}
	})
	return s
}

func open(t *testing.T, c *ipc.Client, op uint16, payload string) *ipc.Stream {
	t.Helper()
	st, err := c.Open(t.Context(), op, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func TestStreamBothWays(t *testing.T) {
	s := streamServer(t, nil)
	c := ipctest.Client(t, s, nil)
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 10 << 20} {
		st := open(t, c, opCopy, "begin")
		want := testkit.Bytes(testkit.Rand(t), n)
		var writer sync.WaitGroup
		writer.Go(func() {
			if _, err := st.Write(want); err != nil {
				t.Error(err)
			}
			if err := st.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(st)
		writer.Wait()
		if err != nil || !bytes.Equal(got, append([]byte("begin"), want...)) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
		st.Close()
	}
}

// TestStreamKeepsMemoryFlat moves much more than may ever lie in buffers.
func TestStreamKeepsMemoryFlat(t *testing.T) {
	s := streamServer(t, nil)
	c := ipctest.Client(t, s, nil)
	st := open(t, c, opGive, "")
	if _, err := io.CopyN(io.Discard, st, 1<<20); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const total = 256 << 20
	if _, err := io.CopyN(io.Discard, st, total); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > total/16 {
		t.Errorf("%d bytes allocated to move %d", n, total)
	}
}

// TestStreamHasNoLimit moves more than the limits allow a message to have.
func TestStreamHasNoLimit(t *testing.T) {
	s := streamServer(t, &ipc.ServerOptions{Limits: ipc.Limits{MaxMessage: 1000, Memory: 1000}})
	c := ipctest.Client(t, s, &ipc.ClientOptions{MaxMessage: 1000})
	there := open(t, c, opCount, "")
	if _, err := there.Write(make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	there.CloseWrite()
	if b, err := io.ReadAll(there); string(b) != "1048576" || err != nil {
		t.Errorf("the handler has read %q, %v", b, err)
	}
	if _, err := io.CopyN(io.Discard, open(t, c, opGive, ""), 1<<20); err != nil {
		t.Error(err)
	}
}

const window = 4 // chunks of 64 KiB

// TestWindowOfTheServer gives a handler that writes 1 MiB credit for a few chunks.
func TestWindowOfTheServer(t *testing.T) {
	s := newServer(t, nil)
	s.HandleStream(30, func(_ context.Context, _ *ipc.Request, st *ipc.Stream) error {
		_, err := st.Write(make([]byte, 1<<20))
		return err
	})
	f := rawClient(t, s, 2)
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: 30, Slot: 1}))
	for _, credit := range []int{0, 1, window} {
		chunks := credit
		if credit == 0 {
			chunks = window // without a word
		} else {
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindCredit, Slot: 1, Extra: uint32(credit)}))
		}
		for range chunks {
			if chunk := next(f); chunk.Kind != ipc.KindChunk || len(chunk.Payload) != 64<<10 {
				t.Fatalf("with a credit of %d came %d bytes of kind %d", credit, len(chunk.Payload), chunk.Kind)
			}
		}
		for range 20 { // a chunk too many would come before one of these
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Slot: ipc.PingSlot, Payload: []byte{1}}))
			if pong := next(f); pong.Kind != ipc.KindResponse {
				t.Fatalf("beyond a credit of %d came %d bytes of kind %d", credit, len(pong.Payload), pong.Kind)
			}
		}
	}
}

// TestWindowOfTheClient gives a client that writes 1 MiB credit for a few chunks.
func TestWindowOfTheClient(t *testing.T) {
	spent := make(chan struct{})
	c := against(t, nil, func(f *os.File) {
		stream := next(f)
		for chunks, pings, allowed := 0, 0, window; ; {
			switch got := next(f); got.Kind {
			case ipc.KindChunk:
				if chunks++; chunks > allowed || len(got.Payload) != 64<<10 {
					t.Errorf("chunk %d of %d bytes, with credit for %d", chunks, len(got.Payload), allowed)
				}
				if chunks == window+2 {
					close(spent)
				}
			case ipc.KindRequest:
				f.Write(frame(answer(got, "")))
				pings++
			default:
				return
			}
			if chunks == allowed && allowed < window+2 && pings >= 20*(allowed-window+1) {
				allowed++
				f.Write(frame(ipc.RawFrame{Kind: ipc.KindCredit, Slot: stream.Slot, Gen: stream.Gen, Extra: 1}))
			}
		}
	})
	st := open(t, c, 1, "")
	wrote := make(chan struct{})
	go func() { // ends with the stream
		defer close(wrote)
		st.Write(make([]byte, 1<<20))
	}()
	for range 40 {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-spent
	st.Close()
	<-wrote
}

// TestReadAfterClose closes a stream of which something has come that was not read, whether its call is over or not.
func TestReadAfterClose(t *testing.T) {
	s := streamServer(t, nil)
	c := ipctest.Client(t, s, nil)
	for name, ended := range map[string]bool{"goes on": false, "is over": true} {
		st := open(t, c, opCopy, "")
		if _, err := st.Write([]byte("xyz")); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if ended {
			st.CloseWrite()
			settled(t, s)
			if err := c.Ping(t.Context()); err != nil { // its answer comes after the end
				t.Fatal(err)
			}
		}
		st.Close()
		if n, err := st.Read(make([]byte, 1)); n != 0 || !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("a call that %s: read says %d, %v", name, n, err)
		}
	}
}

// TestCredits reads what is granted for chunks that were read: an empty one costs nothing.
func TestCredits(t *testing.T) {
	s := streamServer(t, nil)
	f := rawClient(t, s, 2)
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: opCount, Slot: 1}))
	chunk := ipc.RawFrame{Kind: ipc.KindChunk, Slot: 1, Payload: make([]byte, 64<<10)}
	for range 3 {
		for range window {
			f.Write(frame(chunk))
		}
		for granted := 0; granted < window; {
			credit := next(f)
			if credit.Kind != ipc.KindCredit || credit.Extra == 0 || len(credit.Payload) > 0 {
				t.Fatalf("frame %+v", credit)
			}
			granted += int(credit.Extra)
		}
	}
	for range window {
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindChunk, Slot: 1, Payload: []byte("x")}))
	}
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindChunk, Flags: ipc.FlagEnd, Slot: 1}))
	got := next(f)
	for got.Kind == ipc.KindCredit {
		got = next(f)
	}
	if want := strconv.Itoa(3*window<<16 + window); string(got.Payload) != want {
		t.Errorf("the handler has read %q, want %s", got.Payload, want)
	}
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: opCount, Slot: 2}))
	f.Write(frame(ipc.RawFrame{Kind: ipc.KindChunk, Flags: ipc.FlagEnd, Slot: 2, Payload: []byte("last")}))
	for got.Slot != 2 || got.Kind == ipc.KindCredit {
		got = next(f)
	}
	if string(got.Payload) != "4" {
		t.Errorf("of a last chunk that is not empty the handler has read %q", got.Payload)
	}
}

// TestOpenConnectsAgain opens a stream when the server has gone and another has come, as an upgrade or an
// idle server does it.
func TestOpenConnectsAgain(t *testing.T) {
	s := streamServer(t, nil)
	var served sync.WaitGroup
	gone := make(chan struct{})
	c := against(t, &ipc.ClientOptions{
		Redial: func(context.Context) (*os.File, error) { return pairTo(t, s, &served), nil },
	}, func(f *os.File) {
		f.Write(frame(answer(next(f), "")))
		f.Close()
		close(gone)
	})
	if _, err := c.Call(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	<-gone
	st := open(t, c, opCopy, "over again")
	st.CloseWrite()
	if b, err := io.ReadAll(st); string(b) != "over again" || err != nil {
		t.Errorf("the stream says %q, %v", b, err)
	}
	c.Close()
	served.Wait()
}

// TestSlowReaderStopsItsOwnStreamOnly fills one stream in each direction and uses another.
func TestSlowReaderStopsItsOwnStreamOnly(t *testing.T) {
	s := streamServer(t, nil)
	c := ipctest.Client(t, s, nil)
	unread := open(t, c, opGive, "")
	_ = unread
	stuck := open(t, c, opStuck, "")
	wrote := make(chan int)
	go func() { // ends when the stream is closed
		n, _ := stuck.Write(make([]byte, 1<<20))
		wrote <- n
	}()
	for range 100 {
		if _, err := c.Call(t.Context(), opEcho, make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
	}
	st := open(t, c, opCopy, "and so on")
	st.CloseWrite()
	if b, err := io.ReadAll(st); string(b) != "and so on" || err != nil {
		t.Errorf("another stream says %q, %v", b, err)
	}
	start := time.Now()
	stuck.Close()
	if took := time.Since(start); took > time.Second {
		t.Errorf("closing a stream whose writer waits took %v", took)
	}
	if n := <-wrote; n > 256<<10 {
		t.Errorf("%d bytes were written to a stream that nobody reads", n)
	}
}

func TestStreamEnds(t *testing.T) {
	s := streamServer(t, nil)
	ended := make(chan error, 1)
	s.HandleStream(30, func(ctx context.Context, _ *ipc.Request, st *ipc.Stream) error {
		_, err := io.Copy(io.Discard, st)
		ended <- err
		return &ipc.RemoteError{Code: 777, Message: "no more"}
	})
	t.Run("error of the handler", func(t *testing.T) {
		st := open(t, ipctest.Client(t, s, nil), 30, "")
		st.Write([]byte("x"))
		st.CloseWrite()
		_, err := st.Read(make([]byte, 1))
		remote, ok := errors.AsType[*ipc.RemoteError](err)
		if !ok || remote.Code != 777 || ipc.OutcomeOf(err) != ipc.Answered {
			t.Errorf("read says %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("the handler saw %v after CloseWrite", err)
		}
		if _, err := st.Write([]byte("x")); err == nil {
			t.Error("write after CloseWrite says nothing")
		}
	})
	t.Run("client closes", func(t *testing.T) {
		st := open(t, ipctest.Client(t, s, nil), 30, "")
		st.Close()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler saw %v", err)
		}
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("read after Close says %v", err)
		}
	})
	t.Run("context ends", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		st, err := ipctest.Client(t, s, nil).Open(ctx, 30, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read says %v", err)
		}
		st.Close()
		<-ended
	})
	t.Run("connection ends", func(t *testing.T) {
		c := ipctest.Client(t, s, nil)
		st := open(t, c, 30, "")
		c.Close()
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("read says %v", err)
		}
		if err := <-ended; !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
			t.Errorf("the handler saw %v", err)
		}
	})
	t.Run("handler leaves a reader and a writer behind", func(t *testing.T) {
		left := make(chan error, 2)
		s.HandleStream(31, func(_ context.Context, _ *ipc.Request, st *ipc.Stream) error {
			go func() { // ends with the handler
				_, err := st.Read(make([]byte, 1))
				left <- err
			}()
			go func() { // ends with the handler, for lack of credit
				_, err := st.Write(make([]byte, 1<<20))
				left <- err
			}()
			return nil
		})
		st := open(t, ipctest.Client(t, s, nil), 31, "")
		for range cap(left) {
			if err := <-left; !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("what is left behind sees %v", err)
			}
		}
		if _, err := io.Copy(io.Discard, st); err != nil {
			t.Errorf("read says %v", err)
		}
	})
	t.Run("no stream operation", func(t *testing.T) {
		st := open(t, ipctest.Client(t, s, nil), opEcho, "")
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("read says %v", err)
		}
	})
}

// TestCloseWakes closes a stream whose reader or writer waits and reads the connection meanwhile, which
// nothing else will interrupt.
func TestCloseWakes(t *testing.T) {
	s := streamServer(t, nil)
	for name, wait := range map[string]func(*ipc.Stream) error{
		"reader": func(st *ipc.Stream) error { _, err := st.Read(make([]byte, 1)); return err },
		"writer": func(st *ipc.Stream) error { _, err := st.Write(make([]byte, 1<<20)); return err },
	} {
		t.Run(name, func(t *testing.T) {
			c := ipctest.Client(t, s, &ipc.ClientOptions{PingEvery: -1})
			st := open(t, c, opStuck, "")
			ended := make(chan error, 1)
			go func() { ended <- wait(st) }() // ends with the stream
			for !ipc.Reading(c) {
				<-time.After(time.Millisecond)
			}
			st.Close()
			select {
			case err := <-ended:
				if !errors.Is(err, ipc.ErrClosed) {
					t.Errorf("it says %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("it waits on")
			}
		})
	}
}

// TestStreamOfMany has several goroutines read and write one stream, and wait with it when it is closed.
func TestStreamOfMany(t *testing.T) {
	const each, size = 8, 100 << 10
	s := streamServer(t, nil)
	c := ipctest.Client(t, s, nil)
	st := open(t, c, opCopy, "")
	var writers, readers sync.WaitGroup
	for i := range each {
		writers.Go(func() {
			if _, err := st.Write(bytes.Repeat([]byte{byte(1 + i)}, size)); err != nil {
				t.Error(err)
			}
		})
	}
	var came [1 + each]atomic.Int64
	for range each {
		readers.Go(func() {
			for p := make([]byte, 10_000); ; {
				n, err := st.Read(p)
				for _, b := range p[:n] {
					came[b].Add(1)
				}
				if err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	writers.Wait()
	if err := st.CloseWrite(); err != nil {
		t.Error(err)
	}
	readers.Wait()
	for i := range each {
		if n := came[1+i].Load(); n != size {
			t.Errorf("%d bytes of writer %d came", n, i)
		}
	}
	stuck := open(t, c, opStuck, "")
	for range 3 {
		readers.Go(func() {
			if _, err := stuck.Read(make([]byte, 1)); !errors.Is(err, ipc.ErrClosed) {
				t.Errorf("read says %v", err)
			}
		})
		readers.Go(func() {
			if _, err := stuck.Write(make([]byte, 1<<20)); !errors.Is(err, ipc.ErrClosed) {
				t.Errorf("write says %v", err)
			}
		})
	}
	for ipc.Waiting(c) == 0 {
		<-time.After(time.Millisecond)
	}
	stuck.Close()
	readers.Wait()
}

// TestOpenBeyondTheFirstLimit opens more streams than a client may before it knows the server's limit, and reads from
// none: the limit is asked for.
func TestOpenBeyondTheFirstLimit(t *testing.T) {
	s := streamServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: 300}})
	c := ipctest.Client(t, s, &ipc.ClientOptions{PingEvery: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range 300 {
		st, err := c.Open(ctx, opStuck, nil)
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		defer st.Close()
	}
}

// TestCloseWhileReadBegins closes a stream when its reader is about to read the connection, and has not yet said until
// when.
func TestCloseWhileReadBegins(t *testing.T) {
	c := ipctest.Client(t, streamServer(t, nil), &ipc.ClientOptions{PingEvery: -1})
	hours, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	if err := c.Ping(hours); err != nil { // nothing else will come by itself
		t.Fatal(err)
	}
	hour, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	ctx := newHooked(hour)
	st, err := c.Open(ctx, opStuck, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx.begin = func() { st.Close() }
	ended := make(chan error, 1)
	go func() { // ends with the stream, or with the client
		_, err := st.Read(make([]byte, 1))
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, ipc.ErrClosed) {
			t.Errorf("it says %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it reads on")
	}
}

// TestStreamLetsSmallCallsThrough moves a large amount on one connection while small calls are made.
func TestStreamLetsSmallCallsThrough(t *testing.T) {
	total := int64(64 << 20)
	if long {
		total = 1 << 30
	}
	s := streamServer(t, nil)
	c := ipctest.Client(t, s, nil)
	st := open(t, c, opGive, "")
	var moved atomic.Int64
	done := make(chan error, 1)
	go func() { // ends with the last byte
		p := make([]byte, 100<<10)
		for moved.Load() < total {
			n, err := st.Read(p)
			if err != nil {
				done <- err
				return
			}
			moved.Add(int64(n))
		}
		done <- nil
	}()
	var took []time.Duration
	for moved.Load() < total && !t.Failed() {
		start := time.Now()
		if _, err := c.Call(t.Context(), opEcho, []byte("small")); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	slices.Sort(took)
	t.Logf("%d calls meanwhile, half within %v, all within %v", len(took), took[len(took)/2], took[len(took)-1])
	if len(took) < 20 || took[len(took)/2] > 50*time.Millisecond {
		t.Errorf("small calls wait for the stream")
	}
}
