package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// script plays a server on the raw end of a connection: it has read the hello and sent the
// acknowledgement. The end is closed when it returns.
type script func(f *os.File)

// against returns a client whose server follows a script.
func against(t *testing.T, o *ipc.ClientOptions, play script) *ipc.Client {
	t.Helper()
	client, server := ipctest.Pair(t)
	return againstOn(t, client, server, o, play)
}

// againstOn is against on a connection that is given.
func againstOn(t *testing.T, client, server *os.File, o *ipc.ClientOptions, play script) *ipc.Client {
	t.Helper()
	c, err := ipc.NewClient(client, o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the script, or with the connection
		defer close(done)
		defer server.Close()
		if err := ipc.ReadRawHello(server); err != nil {
			return
		}
		server.Write(ipc.RawAck(1, 256))
		play(server)
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
	})
	return c
}

// answer is the frame that answers request f.
func answer(f ipc.RawFrame, payload string) ipc.RawFrame {
	return ipc.RawFrame{Kind: ipc.KindResponse, Slot: f.Slot, Gen: f.Gen, Payload: []byte(payload)}
}

func next(f *os.File) ipc.RawFrame {
	frame, _ := ipc.ReadRawFrame(f)
	return frame
}

// untilClosed reads until the client goes away.
func untilClosed(f *os.File) { io.Copy(io.Discard, f) }

func TestEndOfConnection(t *testing.T) {
	whole := func(f ipc.RawFrame) []byte { return answer(f, "answer").Append(nil) }
	for _, tc := range []struct {
		name    string
		play    script
		want    error
		phase   ipc.Phase
		outcome ipc.Outcome
	}{
		{"between frames", func(f *os.File) { next(f) },
			io.EOF, ipc.PhaseWait, ipc.MaybeProcessed},
		{"in a header", func(f *os.File) { f.Write(whole(next(f))[:11]) },
			io.ErrUnexpectedEOF, ipc.PhaseWait, ipc.MaybeProcessed},
		{"after a header", func(f *os.File) { f.Write(whole(next(f))[:ipc.HeaderSize]) },
			io.ErrUnexpectedEOF, ipc.PhaseRead, ipc.MaybeProcessed},
		{"in a body", func(f *os.File) { f.Write(whole(next(f))[:ipc.HeaderSize+3]) },
			io.ErrUnexpectedEOF, ipc.PhaseRead, ipc.MaybeProcessed},
		{"in a large body", func(f *os.File) {
			request := next(f)
			f.Write(answer(request, "").AppendHeader(nil, 1<<20))
			f.Write(make([]byte, 100<<10))
		}, io.ErrUnexpectedEOF, ipc.PhaseRead, ipc.MaybeProcessed},
		{"with a go-away before the call", func(f *os.File) {
			f.Write(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "upgrade", 16)}.Append(nil))
			next(f)
		}, ipc.ErrDraining, ipc.PhaseWait, ipc.NotProcessed},
		{"with a go-away after the call", func(f *os.File) {
			n := int64(16 + ipc.HeaderSize + len(next(f).Payload))
			f.Write(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "upgrade", n)}.Append(nil))
		}, io.EOF, ipc.PhaseWait, ipc.MaybeProcessed},
		{"endless go-away", func(f *os.File) {
			next(f)
			notice := append([]byte{200, 0, 0}, make([]byte, 4096-2)...) // a field of a later version
			notice[1], notice[2] = byte((4096-2)&0xff), byte((4096-2)>>8)
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: notice}))
			untilClosed(f)
		}, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed},
		{"damaged header", func(f *os.File) {
			b := whole(next(f))
			b[7] ^= 1
			f.Write(b)
			untilClosed(f)
		}, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed},
		{"frame of a client", func(f *os.File) {
			f.Write(next(f).Append(nil))
			untilClosed(f)
		}, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed},
		{"piece without a first one", func(f *os.File) {
			b := answer(next(f), "x")
			b.Kind = ipc.KindPiece
			f.Write(b.Append(nil))
			untilClosed(f)
		}, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed},
		{"chunk without a stream", func(f *os.File) {
			b := answer(next(f), "x")
			b.Kind = ipc.KindChunk
			f.Write(b.Append(nil))
			untilClosed(f)
		}, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed},
		{"descriptor announced and not there", func(f *os.File) {
			b := answer(next(f), "x")
			b.Flags = ipc.FlagFile
			f.Write(b.Append(nil))
			untilClosed(f)
		}, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := against(t, nil, tc.play)
			_, err := c.Call(t.Context(), 1, []byte("question"))
			checkCall(t, err, tc.want, tc.phase, tc.outcome)
			if _, err := c.Call(t.Context(), 1, nil); ipc.OutcomeOf(err) != ipc.NotProcessed {
				t.Errorf("the next call says %v", err)
			}
		})
	}
}

func checkCall(t *testing.T, err, want error, phase ipc.Phase, outcome ipc.Outcome) {
	t.Helper()
	e, ok := errors.AsType[*ipc.CallError](err)
	if !ok || !errors.Is(err, want) || e.Phase != phase || e.Outcome != outcome {
		t.Errorf("the call says %v (%+v), want %v in phase %v, outcome %v", err, e, want, phase, outcome)
	}
}

// TestNotRepeated has calls fail on a client that could connect again: none that a handler may have
// seen is made again, and none where that cannot help.
func TestNotRepeated(t *testing.T) {
	away := func(code uint32) script {
		return func(f *os.File) {
			f.Write(frame(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(code, "", 0)}))
			next(f)
		}
	}
	for _, tc := range []struct {
		name    string
		play    script
		want    error
		outcome ipc.Outcome
	}{
		{"closed", func(f *os.File) { next(f) }, io.EOF, ipc.MaybeProcessed},
		{"closed in the answer", func(f *os.File) {
			f.Write(frame(answer(next(f), "answer"))[:ipc.HeaderSize+1])
		}, io.ErrUnexpectedEOF, ipc.MaybeProcessed},
		{"busy", away(16), ipc.ErrBusy, ipc.NotProcessed},
		{"refused", away(19), ipc.ErrRefused, ipc.NotProcessed},
		{"version", away(21), ipc.ErrVersion, ipc.NotProcessed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := against(t, &ipc.ClientOptions{Redial: func(context.Context) (*os.File, error) {
				t.Error("the client connects again")
				return nil, ipc.ErrNotRunning
			}}, tc.play)
			_, err := c.Call(t.Context(), 1, nil)
			if !errors.Is(err, tc.want) || ipc.OutcomeOf(err) != tc.outcome {
				t.Errorf("the call says %v, outcome %v", err, ipc.OutcomeOf(err))
			}
		})
	}
}

// TestWedgedIsNotRepeated has a call wait for the slot of one that finds the server wedged.
func TestWedgedIsNotRepeated(t *testing.T) {
	client, server := ipctest.Pair(t)
	defer server.Close()
	c, err := ipc.NewClient(client, &ipc.ClientOptions{PingEvery: 300 * time.Millisecond,
		Redial: func(context.Context) (*os.File, error) { return nil, ipc.ErrNotRunning }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	told := later(c, 1, "") // that there is one slot
	if err := ipc.ReadRawHello(server); err != nil {
		t.Fatal(err)
	}
	server.Write(append(ipc.RawAck(1, 1), frame(answer(next(server), ""))...))
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	first, second := later(c, 1, "x"), later(c, 1, "x")
	outcomes := map[ipc.Outcome]int{}
	for _, call := range []<-chan error{first, second} {
		err := <-call
		if !errors.Is(err, ipc.ErrWedged) {
			t.Errorf("a call says %v", err)
		}
		outcomes[ipc.OutcomeOf(err)]++
	}
	if outcomes[ipc.MaybeProcessed] != 1 || outcomes[ipc.NotProcessed] != 1 {
		t.Errorf("outcomes %v, want one that was sent and one that was not", outcomes)
	}
}

func TestNoCommonVersion(t *testing.T) {
	near, far := ipctest.Pair(t) // between them is somebody who changes the hello
	c, err := ipc.NewConn(near, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	up, server := ipctest.Pair(t)
	s := newServer(t, nil)
	go s.ServeConn(server) // ends with the connections, as the others do
	go func() {
		ipc.ReadRawHello(far)
		hello := ipc.RawHello(1)
		hello[4], hello[6] = 200, 201
		up.Write(hello)
		io.Copy(up, far)
		up.Close()
	}()
	go func() {
		io.Copy(far, up)
		far.Close()
	}()
	for range 2 {
		_, err = c.Call(t.Context(), opEcho, nil)
		if !errors.Is(err, ipc.ErrVersion) || !errors.Is(err, errors.ErrUnsupported) || ipc.OutcomeOf(err) != ipc.NotProcessed {
			t.Errorf("the call says %v", err)
		}
		if st, err := c.Status(t.Context()); err != nil || st.State != ipc.Ready || st.Protocol != 0 {
			t.Errorf("status %+v, %v", st, err)
		}
	}
}

// TestByteAtATime lets both ends read what comes in single bytes.
func TestByteAtATime(t *testing.T) {
	s := newServer(t, nil)
	outer, inner := ipctest.Pair(t)
	c, err := ipc.NewClient(outer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	up, server := ipctest.Pair(t)
	go s.ServeConn(server)                        // ends with up
	go func() { slowly(up, inner); up.Close() }() // ends with the client
	go func() { slowly(inner, up); inner.Close() }()
	for _, n := range []int{0, 1, 100, 5000} {
		want := bytes.Repeat([]byte("x"), n)
		if got, err := c.Call(t.Context(), opEcho, want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
	}
}

func slowly(to io.Writer, from io.Reader) {
	b := make([]byte, 1)
	for one := iotest.OneByteReader(from); ; {
		if _, err := one.Read(b); err != nil {
			return
		}
		if _, err := to.Write(b); err != nil {
			return
		}
	}
}

// TestLateAnswer sends the answer to a call that has timed out, in parts, before that of the next.
func TestLateAnswer(t *testing.T) {
	for _, cut := range []int{0, 5, ipc.HeaderSize, ipc.HeaderSize + 2} {
		timedOut := make(chan struct{})
		c := against(t, nil, func(f *os.File) {
			late := answer(next(f), "late").Append(nil)
			f.Write(late[:cut])
			<-timedOut
			cancel, request := next(f), next(f)
			if cancel.Kind != ipc.KindCancel {
				t.Errorf("after the call came frame %d, want its cancellation", cancel.Kind)
			}
			f.Write(late[cut:])
			f.Write(answer(request, "in time").Append(nil))
			untilClosed(f)
		})
		_, err := c.CallAppend(nil, 1, []byte("a"), 20*time.Millisecond)
		if !errors.Is(err, ipc.ErrTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) ||
			!errors.Is(err, context.DeadlineExceeded) || ipc.OutcomeOf(err) != ipc.MaybeProcessed {
			t.Errorf("cut at %d: the call without an answer says %v", cut, err)
		}
		close(timedOut)
		if b, err := c.Call(t.Context(), 1, []byte("b")); string(b) != "in time" || err != nil {
			t.Errorf("cut at %d: the next call says %q, %v", cut, b, err)
		}
	}
}

// TestDuplicateAnswers sends every answer three times, and answers to calls that never were.
func TestDuplicateAnswers(t *testing.T) {
	c := against(t, nil, func(f *os.File) {
		for {
			request, err := ipc.ReadRawFrame(f)
			if err != nil {
				return
			}
			b := answer(request, "yes").Append(nil)
			wrong := answer(request, "no")
			wrong.Gen++
			far := answer(request, "no")
			far.Slot = 1 << 31
			f.Write(append(append(wrong.Append(far.Append(nil)), b...), append(b, b...)...))
		}
	})
	for range 100 {
		if b, err := c.Call(t.Context(), 1, nil); string(b) != "yes" || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

func TestOversizeAnswer(t *testing.T) {
	c := against(t, &ipc.ClientOptions{MaxMessage: 1000}, func(f *os.File) {
		f.Write(answer(next(f), string(make([]byte, 1001))).Append(nil))
		first := answer(next(f), "x")
		first.Extra, first.Flags = 1<<32-1, ipc.FlagMore // promises 4 GiB
		f.Write(first.Append(nil))
		second := answer(ipc.RawFrame{Slot: first.Slot, Gen: first.Gen}, "y")
		second.Kind = ipc.KindPiece
		f.Write(second.Append(nil))
		f.Write(answer(next(f), string(make([]byte, 1000))).Append(nil))
		untilClosed(f)
	})
	for range 2 {
		_, err := c.Call(t.Context(), 1, nil)
		checkCall(t, err, ipc.ErrTooLarge, ipc.PhaseRead, ipc.Answered)
	}
	if b, err := c.Call(t.Context(), 1, nil); len(b) != 1000 || err != nil {
		t.Errorf("the next call says %d bytes, %v", len(b), err)
	}
}

// TestWedged has a server that reads on and answers nothing, and one that stops to read.
func TestWedged(t *testing.T) {
	for _, name := range []string{"reads", "stops"} {
		t.Run(name, func(t *testing.T) {
			const every = 100 * time.Millisecond
			end, pings := make(chan struct{}), make(chan int, 1)
			c := against(t, &ipc.ClientOptions{PingEvery: every}, func(f *os.File) {
				f.Write(frame(answer(next(f), "")))
				n := 0
				for name == "reads" {
					got, err := ipc.ReadRawFrame(f)
					if err != nil {
						break
					}
					if got.Slot == ipc.PingSlot {
						n++
					}
				}
				pings <- n
				<-end // reads nothing
			})
			defer close(end)
			if _, err := c.Call(t.Context(), 1, nil); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err := c.Call(t.Context(), 1, make([]byte, 4<<20))
			if !errors.Is(err, ipc.ErrWedged) || ipc.OutcomeOf(err) != ipc.MaybeProcessed {
				t.Errorf("the call says %v", err)
			}
			took := time.Since(start)
			if took > 2*time.Second || name == "reads" && took < 2*every {
				t.Errorf("that took %v", took)
			}
			if n := <-pings; name == "reads" && n != 2 {
				t.Errorf("given up after %d pings", n)
			}
		})
	}
}

// TestStatusWhileAnotherConnects asks for the status on a connection that a call then leaves, as its server drains: that
// this closes it is not that the client is closed.
func TestStatusWhileAnotherConnects(t *testing.T) {
	var served sync.WaitGroup
	other, asking, leaves := newServer(t, nil), make(chan struct{}), make(chan struct{})
	c := against(t, &ipc.ClientOptions{Redial: func(context.Context) (*os.File, error) {
		close(leaves)
		<-asking
		return pairTo(t, other, &served), nil
	}}, func(f *os.File) {
		next(f)
		f.Write(frame(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "upgrade", 0)}))
		untilClosed(f)
	})
	defer served.Wait()
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	ask := func(ctx context.Context, result chan<- error) { // ends with its answer
		_, err := c.Status(ctx)
		result <- err
	}
	go ask(ctx, first) // has the one place for such questions
	for ipc.Usable(c) {
		runtime.Gosched()
	}
	call := later(c, opEcho, "x")
	<-leaves
	go ask(t.Context(), second)
	<-time.After(20 * time.Millisecond) // until it waits for the place
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(asking)
	if err := errors.Join(<-second, <-call); err != nil {
		t.Error(err)
	}
}

// TestRecoveredIsNotWedged has a server that answers nothing, not even pings, until a call has timed out, and everything
// after that: what the first call has not heard is not held against it by one that comes much later.
func TestRecoveredIsNotWedged(t *testing.T) {
	const every = 200 * time.Millisecond
	client, server := ipctest.Pair(t)
	c, err := ipc.NewClient(client, &ipc.ClientOptions{PingEvery: every})
	if err != nil {
		t.Fatal(err)
	}
	recovered, ended := make(chan struct{}), make(chan struct{})
	defer func() { <-ended }()
	defer c.Close()
	go func() { // ends with the client
		defer close(ended)
		defer server.Close()
		<-recovered
		ipc.ReadRawHello(server)
		server.Write(ipc.RawAck(1, 256))
		for got := next(server); got.Kind != 0; got = next(server) {
			if got.Kind == ipc.KindRequest {
				server.Write(frame(answer(got, "")))
			}
		}
	}()
	_, err = c.CallAppend(nil, 1, nil, 2*every-every/4) // after the second ping
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseWait, ipc.MaybeProcessed)
	close(recovered)
	<-time.After(every/4 + every + every/4) // when the server would have been given up, and more than a ping later
	if _, err := c.CallAppend(nil, 1, nil, 20*time.Second); err != nil {
		t.Errorf("the server answers at once, and the call says %v", err)
	}
}

// TestSlowIsNotWedged has a handler that runs much longer than pings take.
func TestSlowIsNotWedged(t *testing.T) {
	s := newServer(t, nil)
	release := make(chan struct{})
	s.Handle(5, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		<-release
		return nil, nil
	})
	c := ipctest.Client(t, s, &ipc.ClientOptions{PingEvery: 10 * time.Millisecond})
	time.AfterFunc(300*time.Millisecond, func() { close(release) })
	if _, err := c.Call(t.Context(), 5, nil); err != nil {
		t.Error(err)
	}
}

// TestTalkativeIsNotPinged has a server that says something whenever it is read from, and so is never silent for long: no
// ping comes, though the stream, or the call that reads after another, began long ago.
func TestTalkativeIsNotPinged(t *testing.T) {
	const every = 300 * time.Millisecond
	quiet := func(f *os.File, next string) { // says nothing for a while, and then something
		f.SetReadDeadline(time.Now().Add(2 * every / 3))
		defer f.SetReadDeadline(time.Time{})
		if got, err := ipc.ReadRawFrame(f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("before %s came %+v, %v", next, got, err)
		}
	}
	t.Run("stream", func(t *testing.T) {
		c := against(t, &ipc.ClientOptions{PingEvery: every}, func(f *os.File) {
			chunk := next(f)
			chunk.Kind, chunk.Flags, chunk.Payload = ipc.KindChunk, 0, []byte("x")
			<-time.After(2 * every) // nobody reads
			f.Write(frame(chunk))
			next(f) // its credit
			quiet(f, "the next chunk")
			f.Write(frame(chunk))
			untilClosed(f)
		})
		st := open(t, c, 1, "")
		<-time.After(2 * every)
		for range 2 {
			if _, err := st.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("call", func(t *testing.T) {
		c := against(t, &ipc.ClientOptions{PingEvery: every}, func(f *os.File) {
			first, second := next(f), next(f)
			for end := time.Now().Add(3 * every / 2); time.Now().Before(end); { // it says something to the one that reads
				f.Write(frame(answer(ipc.RawFrame{Slot: first.Slot, Gen: first.Gen + 1}, "late")))
				<-time.After(every / 10)
			}
			f.Write(frame(answer(first, "")))
			quiet(f, "the answer to the second call")
			f.Write(frame(answer(second, "")))
			untilClosed(f)
		})
		first := later(c, 1, "")
		for !ipc.Reading(c) {
			<-time.After(time.Millisecond)
		}
		if err := errors.Join(<-later(c, 2, ""), <-first); err != nil {
			t.Error(err)
		}
	})
}

// TestNeverPings has a client wait that is told not to ping.
func TestNeverPings(t *testing.T) {
	c := against(t, &ipc.ClientOptions{PingEvery: -1}, func(f *os.File) {
		request := next(f)
		f.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if got, err := ipc.ReadRawFrame(f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("meanwhile came %+v, %v", got, err)
		}
		f.Write(frame(answer(request, "")))
		f.SetReadDeadline(time.Time{})
		untilClosed(f)
	})
	if _, err := c.Call(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
}

func TestCallsAfterClose(t *testing.T) {
	c := against(t, nil, untilClosed)
	waiting := make(chan error)
	for range 10 {
		go func() { // ends with Close
			_, err := c.Call(context.Background(), 1, nil)
			waiting <- err
		}()
	}
	c.Close()
	for range 10 {
		if err := <-waiting; !errors.Is(err, ipc.ErrClosed) || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("a call that waited says %v", err)
		}
	}
	_, err := c.Call(t.Context(), 1, nil)
	if !errors.Is(err, ipc.ErrClosed) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("a later call says %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// TestReadingIsHandedOver answers the caller that reads for all before the one that waits for it,
// and lets one that reads give up.
func TestReadingIsHandedOver(t *testing.T) {
	for _, how := range []string{"answered", "gave up"} {
		t.Run(how, func(t *testing.T) {
			both, over := make(chan struct{}), make(chan struct{})
			c := against(t, nil, func(f *os.File) {
				first, second := next(f), next(f)
				if first.Payload[0] != 1 {
					first, second = second, first
				}
				<-both
				if how == "answered" {
					f.Write(answer(first, "one").Append(nil))
				}
				<-over
				f.Write(answer(second, "two").Append(nil))
				untilClosed(f)
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			one, two := make(chan error, 1), make(chan error, 1)
			go func() { // ends with the call
				_, err := c.Call(ctx, 1, []byte{1})
				one <- err
			}()
			for !ipc.Reading(c) {
				<-time.After(time.Millisecond) // until it reads
			}
			go func() { // ends with the call
				b, err := c.Call(t.Context(), 1, []byte{2})
				if string(b) != "two" && err == nil {
					err = errors.New("answer " + string(b))
				}
				two <- err
			}()
			for ipc.Waiting(c) == 0 {
				<-time.After(time.Millisecond) // until it waits
			}
			close(both)
			if how == "gave up" {
				cancel()
			}
			if err := <-one; (err != nil) != (how == "gave up") {
				t.Errorf("the first call says %v", err)
			}
			close(over)
			select {
			case err := <-two:
				if err != nil {
					t.Errorf("the second call says %v", err)
				}
			case <-time.After(4 * time.Second): // before a ping would help
				t.Error("nobody reads for the second call")
			}
		})
	}
}

// TestUnfinishedWriteGoesOn has a server that begins to read when the call has timed out in the
// middle of its request: the frames that come are whole.
func TestUnfinishedWriteGoesOn(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	timedOut := make(chan struct{})
	c := against(t, nil, func(f *os.File) {
		<-timedOut
		var got []byte
		for {
			frame, err := ipc.ReadRawFrame(f)
			switch {
			case err != nil:
				t.Errorf("reading what was left: %v", err)
				return
			case frame.Kind == ipc.KindCancel:
				if !bytes.HasPrefix(payload, got) || len(got) == 0 {
					t.Errorf("%d bytes before the cancellation are not the request's", len(got))
				}
				f.Write(answer(next(f), "well").Append(nil))
				untilClosed(f)
				return
			}
			got = append(got, frame.Payload...)
		}
	})
	_, err := c.CallAppend(nil, 1, payload, 20*time.Millisecond)
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseWrite, ipc.MaybeProcessed)
	clear(payload[len(payload)/2:]) // it is the caller's again
	close(timedOut)
	if b, err := c.Call(t.Context(), 1, []byte("next")); string(b) != "well" || err != nil {
		t.Errorf("the next call says %q, %v", b, err)
	}
}

// TestSmallFrameBehindMany has more wait to be written than may be added without the turn: a frame that waits for it
// is written all the same.
func TestSmallFrameBehindMany(t *testing.T) {
	c := against(t, nil, func(f *os.File) {
		for got := next(f); got.Kind != 0; got = next(f) {
			if got.Kind == ipc.KindRequest {
				f.Write(frame(answer(got, "x")))
			}
		}
	})
	ipc.AddRaw(c, ipc.RawFrame{Kind: ipc.KindChunk, Payload: make([]byte, 4<<20)})
	if err := <-later(c, 1, "x"); err != nil {
		t.Error(err)
	}
}

// TestGivenUpWhileItIsRead has a server that has read a part of a request when its caller gives up: the frames that come
// are whole.
func TestGivenUpWhileItIsRead(t *testing.T) {
	client, server := ipctest.Pair(t)
	giveUpWhileItIsRead(t, client, server)
}

func giveUpWhileItIsRead(t *testing.T, client, server *os.File) {
	t.Helper()
	payload := bytes.Repeat([]byte("0123456789abcde\n"), 250<<10/16) // in one frame
	for i := range payload {
		payload[i] ^= byte(i >> 10)
	}
	began, over, read := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c := againstOn(t, client, server, &ipc.ClientOptions{PingEvery: -1}, func(f *os.File) {
		defer close(read)
		part := make([]byte, 100<<10)
		io.ReadFull(f, part)
		close(began)
		<-over
		rest := io.MultiReader(bytes.NewReader(part), f)
		if got, err := ipc.ReadRawFrame(rest); err != nil || !bytes.Equal(got.Payload, payload) {
			t.Errorf("the request comes as another one of %d bytes, %v", len(got.Payload), err)
		}
		f.SetReadDeadline(time.Now().Add(10 * time.Second))
		if got, err := ipc.ReadRawFrame(rest); err != nil || got.Kind != ipc.KindCancel {
			t.Errorf("after the request comes %+v, %v", got, err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	called := make(chan error, 1)
	go func() { // ends when it is given up
		_, err := c.Call(ctx, 1, payload)
		called <- err
	}()
	<-began
	cancel()
	if err := <-called; !errors.Is(err, context.Canceled) || ipc.OutcomeOf(err) != ipc.MaybeProcessed {
		t.Errorf("the call says %v, outcome %v", err, ipc.OutcomeOf(err))
	}
	close(over)
	<-read
}
