package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

func request(slot uint32, payload string) ipc.RawFrame {
	return ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Slot: slot, Payload: []byte(payload)}
}

// raw joins what a client sends.
func raw(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func frame(f ipc.RawFrame) []byte { return f.Append(nil) }

// TestHostileClients sends each kind of nonsense; the server must end that connection with a typed
// error, or go on, and serve another as before.
func TestHostileClients(t *testing.T) {
	hello := ipc.RawHello(2)
	stream := ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: opStuck}
	chunk := ipc.RawFrame{Kind: ipc.KindChunk, Payload: []byte("x")}
	flipped := frame(request(0, "x"))
	flipped[3] ^= 0x80
	swapped, eager := ipc.RawHello(2), ipc.RawHello(2)
	swapped[4] = 2                                      // the lowest version is beyond the highest
	copy(eager[8:], "\xff\xff\xff\xff\x02\x01\x02\x03") // all features, and bytes that have no meaning yet
	for _, tc := range []struct {
		name   string
		send   []byte
		broken bool // the connection, by ErrProtocol; else it goes on
	}{
		{"no hello", frame(request(0, "x")), true},
		{"unknown role", append(ipc.RawHello(9), frame(request(0, "x"))...), true},
		{"versions the wrong way round", append(swapped, frame(request(0, "x"))...), true},
		{"flipped bit in a length", raw(hello, flipped), true},
		{"unknown kind", raw(hello, frame(ipc.RawFrame{Kind: 99})), true},
		{"kind 0", raw(hello, frame(ipc.RawFrame{})), true},
		{"unknown flag", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: 0x80, Op: 1})), true},
		{"frame of a server", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindResponse})), true},
		{"go-away", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindGoAway})), true},
		{"cancel with a payload", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindCancel, Payload: []byte("x")})), true},
		{"empty control operation", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindRequest})), true},
		{"endless control operation", raw(hello, ipc.RawFrame{Kind: ipc.KindRequest}.AppendHeader(nil, 1<<20)), true},
		{"control operation in pieces", raw(hello,
			frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagMore, Payload: []byte{1}})), true},
		{"damaged fields", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindRequest, Payload: []byte{3, 1, 255, 255}})), true},
		{"chunk without payload", raw(hello, frame(stream), frame(ipc.RawFrame{Kind: ipc.KindChunk})), true},
		{"chunk beyond the credit", raw(hello, frame(stream), bytes.Repeat(frame(chunk), 5)), true},
		{"chunk beyond the size", raw(hello, frame(stream), chunk.AppendHeader(nil, 64<<10+1)), true},
		{"credit that nobody spent", raw(hello, frame(stream), frame(ipc.RawFrame{Kind: ipc.KindCredit, Extra: 1})), true},
		{"endless credit", raw(hello, frame(stream), frame(ipc.RawFrame{Kind: ipc.KindCredit, Extra: 1<<32 - 1})), true},
		{"chunk after the end", raw(hello, frame(stream),
			frame(ipc.RawFrame{Kind: ipc.KindChunk, Flags: ipc.FlagEnd}), frame(chunk)), true},

		{"unknown features", eager, false},
		{"unknown control operation", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindRequest, Payload: []byte{200}})), false},
		{"unknown tag", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindRequest, Payload: []byte{1, 200, 1, 0, 7}})), false},
		{"piece of no message", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindPiece, Payload: []byte("x")})), false},
		{"chunk of no stream", raw(hello, frame(chunk)), false},
		{"cancel of no call", raw(hello, frame(ipc.RawFrame{Kind: ipc.KindCancel, Slot: 1 << 31})), false},
		{"slot beyond the limit", raw(hello, frame(request(1<<31, "x"))), false},
		{"slot used twice", raw(hello, bytes.Repeat(frame(request(3, "x")), 10)), false},
		{"message given up for another", raw(hello,
			frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagMore, Op: opEcho, Slot: 4, Payload: []byte("x")}),
			frame(request(4, "y"))), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := streamServer(t, &ipc.ServerOptions{Events: func(ipc.Event) {}})
			client, server := ipctest.Pair(t)
			defer client.Close()
			served := make(chan error, 1)
			go func() { served <- s.ServeConn(server) }() // ends with the connection
			go func() {                                   // ends with the connection
				client.Write(tc.send)
				if !tc.broken {
					client.Write(frame(request(7, "still there")))
				}
			}()
			if tc.broken {
				if err := <-served; !errors.Is(err, ipc.ErrProtocol) {
					t.Errorf("the connection ended with %v", err)
				}
			} else {
				expectEcho(t, client, 7)
				client.Close()
				if err := <-served; err != nil {
					t.Errorf("the connection ended with %v", err)
				}
			}
			if _, err := ipctest.Client(t, s, nil).Call(t.Context(), opEcho, nil); err != nil {
				t.Errorf("another connection says %v", err)
			}
		})
	}
}

// TestHostileAcknowledgements has servers that answer the hello with nonsense.
func TestHostileAcknowledgements(t *testing.T) {
	whole := ipc.RawAck(1, 256)
	change := func(i int, to byte) []byte {
		b := bytes.Clone(whole)
		b[i] = to
		return b
	}
	for _, tc := range []struct {
		name string
		send []byte
	}{
		{"another protocol", []byte("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"wrong magic", change(3, 'X')},
		{"wrong check", change(8, 7)},
		{"more fields than there may be", ipc.RawAckHead(1, 4097)},
		{"damaged fields", append(ipc.RawAckHead(1, 3), 7, 255, 255)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, server := ipctest.Pair(t)
			defer server.Close()
			c, err := ipc.NewClient(client, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			server.Write(tc.send)
			_, err = c.Call(t.Context(), 1, nil)
			checkCall(t, err, ipc.ErrProtocol, ipc.PhaseWait, ipc.MaybeProcessed)
		})
	}
}

// TestShortNumbers has a server whose fields hold numbers of a byte, and fields of a later version.
func TestShortNumbers(t *testing.T) {
	fields := []byte{5, 1, 0, 2 /* ready */, 200, 2, 0, 1, 1, 7, 1, 0, 1 /* call at a time */, 6, 1, 0, 9 /* bytes */}
	client, server := ipctest.Pair(t)
	defer server.Close()
	c, err := ipc.NewClient(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server.Write(append(ipc.RawAckHead(1, uint16(len(fields))), fields...))
	answered := later(c, 1, "")
	if err := ipc.ReadRawHello(server); err != nil {
		t.Fatal(err)
	}
	server.Write(frame(answer(next(server), "")))
	if err := <-answered; err != nil || c.Info().State != ipc.Ready {
		t.Errorf("info %+v, %v", c.Info(), err)
	}
	_, err = c.Call(t.Context(), 1, make([]byte, 10))
	checkCall(t, err, ipc.ErrTooLarge, ipc.PhaseQueue, ipc.NotProcessed)
	held := later(c, 1, "")
	next(server)
	_, err = c.CallAppend(nil, 1, nil, 20*time.Millisecond)
	checkCall(t, err, ipc.ErrTimeout, ipc.PhaseQueue, ipc.NotProcessed)
	c.Close()
	<-held
}

// expectEcho reads until the answer to the request in a slot.
func expectEcho(t *testing.T, client *os.File, slot uint32) {
	t.Helper()
	if _, err := ipc.ReadRawAck(client); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := ipc.ReadRawFrame(client)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		if f.Slot == slot {
			if f.Kind != ipc.KindResponse || string(f.Payload) != "still there" {
				t.Errorf("the answer is %+v", f)
			}
			return
		}
	}
}

// TestClosedAtEveryByte cuts a conversation off after each byte.
func TestClosedAtEveryByte(t *testing.T) {
	s := streamServer(t, nil)
	stream := ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: opCopy, Slot: 1}
	first := request(2, "message in")
	first.Flags = ipc.FlagMore
	whole := raw(ipc.RawHello(2), frame(request(0, "hello")), frame(stream),
		frame(ipc.RawFrame{Kind: ipc.KindChunk, Slot: 1, Payload: []byte("x")}),
		frame(first), frame(ipc.RawFrame{Kind: ipc.KindPiece, Slot: 2, Payload: []byte("pieces")}))
	for n := range len(whole) + 1 {
		client, server := ipctest.Pair(t)
		served := make(chan error, 1)
		go func() { served <- s.ServeConn(server) }() // ends with the connection
		client.Write(whole[:n])
		client.Close()
		if err := <-served; err != nil {
			t.Errorf("closed after %d bytes: %v", n, err)
		}
	}
	settled(t, s)
}

// settled waits until the server holds nothing any more.
func settled(t *testing.T, s *ipc.Server) {
	t.Helper()
	for range 1000 {
		if held, memory := ipc.Held(s); held == 0 && memory == 0 && s.Status().Running == 0 && s.Status().Streams == 0 {
			return
		}
		<-time.After(time.Millisecond)
	}
	held, memory := ipc.Held(s)
	t.Errorf("%d calls and %d bytes are still held, status %+v", held, memory, s.Status())
}

// TestPromisedMemory has clients that announce large requests and send nothing of them.
func TestPromisedMemory(t *testing.T) {
	s := newServer(t, &ipc.ServerOptions{Events: func(ipc.Event) {}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 4 {
		client := rawClient(t, s, 2)
		for i := range uint32(8) {
			first := ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagMore, Op: opEcho, Slot: i, Payload: []byte("x")}
			client.Write(first.Append(nil))
		}
		client.Write(ipc.RawFrame{Kind: ipc.KindPiece, Slot: 3}.AppendHeader(nil, 60<<20))
		client.Write(frame(ipc.RawFrame{})[:1])
	}
	lockstep := rawClient(t, s, 1)
	lockstep.Write(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho}.AppendHeader(nil, 1<<32-1))
	f, err := ipc.ReadRawFrame(lockstep)
	if err != nil || f.Kind != ipc.KindError || !bytes.Contains(f.Payload, []byte("large")) {
		t.Errorf("4 GiB announced: frame %+v, %v", f, err)
	}
	if err := ipctest.Client(t, s, nil).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("%d bytes were allocated for promises", n)
	}
}

// TestPromisedAnswers has a server that announces large answers and sends nothing of them.
func TestPromisedAnswers(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, pieces := range []bool{false, true} {
		c := against(t, nil, func(f *os.File) {
			first := answer(next(f), "x")
			if !pieces {
				f.Write(append(first.AppendHeader(nil, 60<<20), 'x'))
				return
			}
			first.Flags, first.Extra = ipc.FlagMore, 60<<20
			f.Write(append(frame(first), frame(first)[:1]...))
		})
		if _, err := c.Call(t.Context(), 1, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the call says %v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes were allocated for promises", n)
	}
}

// TestNeverReads has clients that make calls and read no answer: calls are refused at some point,
// then the connection ends, and others are served.
func TestNeverReads(t *testing.T) {
	for name, op := range map[string]uint16{"goroutine": opEcho, "fast": opFast, "ping": 0} {
		t.Run(name, func(t *testing.T) {
			broken := make(chan ipc.Event, 10)
			s := newServer(t, &ipc.ServerOptions{Events: func(e ipc.Event) { broken <- e }})
			client := rawClient(t, s, 2)
			payload := make([]byte, 300)
			payload[0] = 1 // ping
			if op == 0 {
				payload = payload[:1]
			}
			client.SetWriteDeadline(time.Now().Add(20 * time.Second))
			for gen := uint32(0); ; gen++ {
				var b []byte
				for slot := range uint32(256) {
					b = ipc.RawFrame{Kind: ipc.KindRequest, Op: op, Slot: slot, Gen: gen, Payload: payload}.Append(b)
				}
				if _, err := client.Write(b); err != nil {
					if errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("the server does not read: %v", err)
					}
					break
				}
			}
			if e := <-broken; !errors.Is(e.Err, ipc.ErrUnread) {
				t.Errorf("the event says %v", e.Err)
			}
			// 2 MiB wait, and what the socket has taken before. Then answers wait for their turn, and refusals are added.
			if unread := s.Status().Calls * int64(ipc.HeaderSize+len(payload)); op == opFast && (unread < 2<<20 || unread > 5<<20) {
				t.Errorf("the connection ended with %d bytes of answers unread", unread)
			}
			if _, err := ipctest.Client(t, s, nil).Call(t.Context(), opEcho, nil); err != nil {
				t.Error(err)
			}
			settled(t, s)
		})
	}
}

// TestStalledClient has a client that reads nothing of a large answer.
func TestStalledClient(t *testing.T) {
	broken := make(chan ipc.Event, 1)
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{Stall: 30 * time.Millisecond},
		Events: func(e ipc.Event) { broken <- e }})
	client := rawClient(t, s, 1)
	client.Write(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opEcho, Payload: make([]byte, 4<<20)}))
	if e := <-broken; !errors.Is(e.Err, ipc.ErrWedged) {
		t.Errorf("the event says %v", e.Err)
	}
	settled(t, s)
}

// TestStalledWhileHandling has a client that reads nothing of a large answer, while the goroutine that would learn it runs
// a fast handler whose request began with half a header. It must learn it then.
func TestStalledWhileHandling(t *testing.T) {
	const opBig, opWrite, opWait = 60, 61, 62
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, []byte("small"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken, began, wedged := make(chan ipc.Event, 1), make(chan struct{}), make(chan struct{})
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{Stall: 30 * time.Millisecond},
		Events: func(e ipc.Event) { broken <- e }})
	s.Handle(opBig, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		return &ipc.Response{Payload: make([]byte, 4<<20)}, nil
	})
	s.HandleStream(opWrite, func(_ context.Context, _ *ipc.Request, st *ipc.Stream) (err error) {
		close(began)
		for err == nil {
			_, err = st.Write(make([]byte, 64<<10)) // behind the large answer, or in its place
		}
		close(wedged)
		return err
	})
	s.HandleFast(opWait, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		<-wedged
		f, err := os.Open(path)
		return &ipc.Response{File: f}, err // which another goroutine writes
	})
	client := rawClient(t, s, 2)
	wait := frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opWait, Slot: 2})
	client.Write(raw(frame(ipc.RawFrame{Kind: ipc.KindRequest, Op: opBig}),
		frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: opWrite, Slot: 1}), wait[:20]))
	<-began // what came in one read has been read
	client.Write(wait[20:])
	select {
	case e := <-broken:
		if !errors.Is(e.Err, ipc.ErrWedged) {
			t.Errorf("the event says %v", e.Err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server reads on from a client that it cannot answer")
	}
	settled(t, s)
}

// TestHeadersInParts has a client that never stops to send, and each of whose headers comes in two reads: none takes
// long.
func TestHeadersInParts(t *testing.T) {
	const limit = 400 * time.Millisecond
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{Header: limit}})
	client, whole := rawClient(t, s, 1), frame(request(0, "x"))
	client.Write(whole[:20])
	for start := time.Now(); time.Since(start) < limit+limit/4; {
		client.Write(append(bytes.Clone(whole[20:]), whole[:20]...))
		if f, err := ipc.ReadRawFrame(client); err != nil || string(f.Payload) != "x" {
			t.Fatalf("after %v comes %+v, %v", time.Since(start), f, err)
		}
	}
	client.Write(whole[20:])
	next(client)
}

// TestSlowHeader begins a header and does not go on.
func TestSlowHeader(t *testing.T) {
	const limit = 300 * time.Millisecond // much more than a busy machine takes between two writes
	s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{Header: limit},
		Events: func(ipc.Event) {}})
	client, server := ipctest.Pair(t)
	defer client.Close()
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(server) }() // ends with the connection
	client.Write(raw(ipc.RawHello(1), frame(request(0, "still there"))))
	expectEcho(t, client, 0)
	for range 2 { // between frames there is time without end, also after a header in two parts
		<-time.After(limit + 50*time.Millisecond)
		whole := frame(request(0, "again"))
		client.Write(whole[:20])
		<-time.After(time.Millisecond)
		client.Write(whole[20:])
		if f, err := ipc.ReadRawFrame(client); err != nil || string(f.Payload) != "again" {
			t.Errorf("the answer is %+v, %v", f, err)
		}
	}
	client.Write(frame(request(0, "x"))[:20])
	if err := <-served; !errors.Is(err, ipc.ErrProtocol) {
		t.Errorf("the connection ended with %v", err)
	}
}

// FuzzServer lets a server read anything after a hello.
func FuzzServer(f *testing.F) {
	f.Add(frame(request(0, "hello")))
	f.Add(frame(ipc.RawFrame{Kind: ipc.KindRequest, Payload: []byte{2}}))
	f.Add(raw(frame(ipc.RawFrame{Kind: ipc.KindRequest, Flags: ipc.FlagStream, Op: opCopy}),
		frame(ipc.RawFrame{Kind: ipc.KindChunk, Payload: []byte("x")}),
		frame(ipc.RawFrame{Kind: ipc.KindChunk, Flags: ipc.FlagEnd})))
	s := streamServer(f, &ipc.ServerOptions{Events: func(ipc.Event) {}, Limits: ipc.Limits{MaxMessage: 1 << 20}})
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := ipctest.Pair(t)
		go func() { // ends with the connection
			client.Write(raw(ipc.RawHello(2), fixed(b), b))
			client.Close()
		}()
		s.ServeConn(server)
	})
}

// FuzzClient lets a client that waits for two answers read anything after an acknowledgement.
func FuzzClient(f *testing.F) {
	f.Add(frame(answer(ipc.RawFrame{Gen: 1}, "x")))
	f.Add(frame(ipc.RawFrame{Kind: ipc.KindGoAway, Payload: ipc.RawGoAway(17, "x", 16)}))
	f.Add(frame(ipc.RawFrame{Kind: ipc.KindChunk, Slot: 1, Payload: []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := ipctest.Pair(t)
		c, err := ipc.NewClient(client, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() { // ends with the connection
			server.Write(raw(ipc.RawAck(1, 8), fixed(b), b))
			server.Close()
		}()
		st, err := c.Open(t.Context(), 1, nil)
		if err == nil {
			defer st.Close()
			io.Copy(io.Discard, st)
		}
		c.Call(t.Context(), 1, nil)
	})
}

// fixed makes a well-formed frame of b, so that more than the check is tried.
func fixed(b []byte) []byte {
	if len(b) < 8 {
		return nil
	}
	return frame(ipc.RawFrame{Kind: 1 + b[0]%8, Flags: b[1] & 15, Op: uint16(b[2]) % 16, Slot: uint32(b[3] % 4),
		Gen: uint32(b[4] % 3), Extra: uint32(b[5]), Payload: b[8:]})
}

// TestRandomFrames sends random well-formed frames in large numbers.
func TestRandomFrames(t *testing.T) {
	s := streamServer(t, &ipc.ServerOptions{Events: func(ipc.Event) {}})
	r := testkit.Rand(t)
	for i := range 200 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			client, server := ipctest.Pair(t)
			served := make(chan error, 1)
			go func() { served <- s.ServeConn(server) }() // ends with the connection
			go io.Copy(io.Discard, client)                // ends with the connection
			client.Write(ipc.RawHello(2))
			for range 50 {
				client.Write(fixed(testkit.Bytes(r, 8+r.IntN(100))))
			}
			client.Close()
			<-served
		})
	}
	settled(t, s)
}
