//go:build linux && (amd64 || arm64)

// Only where hold.go is: elsewhere no read holds its thread.

package ipc_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// readerPair returns one end of a connection that reads, with its file, and the other end.
func readerPair(t *testing.T) (r *ipc.Reader, here, there *os.File) {
	t.Helper()
	here, there = ipctest.Pair(t)
	t.Cleanup(func() { there.Close(); here.Close() })
	r, err := ipc.NewReader(here)
	if err != nil {
		t.Fatal(err)
	}
	return r, here, there
}

// holdLong has the next read of r, whose file is f, hold its thread for heldLong.
func holdLong(t *testing.T, r *ipc.Reader, f *os.File) {
	t.Helper()
	r.Hold()
	waitLong(t, f)
}

// heldLong is how long a read holds its thread where a test says so, unless something comes.
const heldLong = 10 * time.Second

// waitLong has reads of f that hold their thread do so for heldLong.
func waitLong(t *testing.T, f *os.File) {
	t.Helper()
	holdFor(t, f, heldLong)
}

func holdFor(t *testing.T, f *os.File, d time.Duration) {
	t.Helper()
	limit := syscall.NsecToTimeval(int64(d))
	control(t, f, func(fd int) error {
		return syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit)
	})
}

// waitable reports whether reads of f may hold their thread.
func waitable(t *testing.T, f *os.File) bool {
	t.Helper()
	var flags int
	control(t, f, func(fd int) (err error) {
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		return err
	})
	return flags&unix.O_NONBLOCK == 0
}

// control runs fn on the descriptor of f.
func control(t *testing.T, f *os.File, fn func(fd int) error) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = fn(int(fd)) }); errors.Join(err, inner) != nil {
		t.Fatal(err, inner)
	}
}

// readByte reads one byte on a goroutine of its own and tells how that ended.
func readByte(r *ipc.Reader) <-chan error {
	read := make(chan error, 1)
	go func() {
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	return read
}

var (
	heldRead   = regexp.MustCompile(`\[syscall[^\n]*\n(?:[^\n]+\n)*?[^\n]*\(\*wire\)\.read\(`)
	parkedRead = regexp.MustCompile(`\[IO wait[^\n]*\n(?:[^\n]+\n)*?[^\n]*\(\*wire\)\.read\(`)
)

// awaitReads waits until so many goroutines that read hold their thread or are parked, and returns how many hold it. It looks twice:
// to look stops all goroutines, and the signal for that may just have ended a hold.
func awaitReads(t *testing.T, reads int) (held int) {
	t.Helper()
	stacks, before := make([]byte, 1<<20), -1
	for end := time.Now().Add(heldLong / 2); time.Now().Before(end); runtime.Gosched() {
		all := stacks[:runtime.Stack(stacks, true)]
		held := len(heldRead.FindAll(all, -1))
		if held+len(parkedRead.FindAll(all, -1)) != reads {
			held = -1
		} else if held == before {
			return held
		}
		before = held
	}
	t.Fatalf("no %d goroutines read", reads)
	return 0
}

// awaitParked waits until so many goroutines that read are parked, and no other reads.
func awaitParked(t *testing.T, reads int) {
	t.Helper()
	for end := time.Now().Add(heldLong / 2); awaitReads(t, reads) > 0; {
		if time.Now().After(end) {
			t.Fatal("a read holds its thread")
		}
	}
}

// readHeld has start begin a read that holds its thread, beside others that are parked, and returns what it does. A signal may keep
// one from that: then end lets it end, and there is another.
func readHeld[T any](t *testing.T, others int, start func() T, end func(T)) T {
	t.Helper()
	for range 20 {
		read := start()
		if awaitReads(t, others+1) == 1 {
			return read
		}
		end(read)
	}
	t.Fatal("no read holds its thread")
	panic("unreachable")
}

// byteHeld is readHeld for a byte that r, whose file is f, reads of peer.
func byteHeld(t *testing.T, r *ipc.Reader, f, peer *os.File) <-chan error {
	t.Helper()
	return readHeld(t, 0, func() <-chan error {
		holdLong(t, r, f)
		return readByte(r)
	}, func(read <-chan error) { finish(t, read, peer) })
}

// finish has a read of a byte end.
func finish(t *testing.T, read <-chan error, peer *os.File) {
	t.Helper()
	peer.Write([]byte("a"))
	if err := <-read; err != nil {
		t.Fatal(err)
	}
}

// TestHold has reads hold their thread: those that are told to, but never two of the process at a time.
func TestHold(t *testing.T) {
	first, firstFile, firstPeer := readerPair(t)
	second, secondFile, secondPeer := readerPair(t)
	for range 3 {
		one := byteHeld(t, first, firstFile, firstPeer)
		holdLong(t, second, secondFile)
		two := readByte(second)
		if held := awaitReads(t, 2); held > 1 {
			t.Fatalf("%d reads hold their thread", held)
		}
		finish(t, one, firstPeer)
		finish(t, two, secondPeer)
		one = readByte(first)
		awaitParked(t, 1)
		finish(t, one, firstPeer)
		if !first.Holds() {
			t.Error("reads park after a hold that was not in vain")
		}
	}
}

// TestHoldEnds has a read to which nothing comes let its thread go, so that it can be ended; the next ones park.
func TestHoldEnds(t *testing.T) {
	r, f, _ := readerPair(t)
	for range 20 { // a signal may end the hold before it was in vain
		r.Hold()
		read := readByte(r)
		awaitParked(t, 1)
		f.SetReadDeadline(time.Unix(1, 0))
		if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("an interrupted read: %v", err)
		}
		f.SetReadDeadline(time.Time{})
		if !r.Holds() {
			return
		}
	}
	t.Error("reads hold their thread after holds in vain")
}

// TestHoldPauses has reads park after holds in vain: twice as many each time, and half of that after one that was not.
func TestHoldPauses(t *testing.T) {
	r, _, _ := readerPair(t)
	for i, step := range []struct {
		quick int // holds that are not in vain, before one that is
		pause int
	}{{0, ipc.PauseMin}, {0, 2 * ipc.PauseMin}, {1, 2 * ipc.PauseMin}, {3, ipc.PauseMin}} {
		for range step.quick {
			r.Held(false)
		}
		r.Held(true)
		pause := 0
		for !r.Holds() {
			pause++
		}
		if pause != step.pause {
			t.Errorf("hold %d in vain has %d reads park, not %d", i, pause, step.pause)
		}
	}
}

// TestHoldEndsWithSignal has signals come to the thread that a read holds, as they do in a program with a timer of the system:
// each has the system count anew.
func TestHoldEndsWithSignal(t *testing.T) {
	r, f, peer := readerPair(t)
	thread := make(chan int, 20)
	read := readHeld(t, 0, func() <-chan error {
		holdLong(t, r, f)
		read := make(chan error, 1)
		go func() { // ends with the read
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			thread <- unix.Gettid()
			_, err := r.Read(make([]byte, 1))
			read <- err
		}()
		return read
	}, func(read <-chan error) {
		finish(t, read, peer)
		<-thread
	})
	tid, end := <-thread, make(chan struct{})
	var signals sync.WaitGroup
	signals.Go(func() { // one is not enough: the read may be about to wait
		for {
			select {
			case <-end:
				return
			default:
				unix.Tgkill(unix.Getpid(), tid, unix.SIGURG)
				runtime.Gosched()
			}
		}
	})
	defer signals.Wait()
	defer close(end)
	awaitParked(t, 1)
	finish(t, read, peer)
}

// TestBlockingFile has a file that never waits in the poller refused, before a request leaves.
func TestBlockingFile(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	f := os.NewFile(uintptr(fds[0]), "client")
	if _, err := ipc.NewClient(f, nil); !errors.Is(err, os.ErrNoDeadline) {
		t.Error("a client of a blocking file:", err)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Error("the file is left open:", err)
	}
}

// TestWritesNeverHold writes to a peer that does not read, on a connection whose reads hold their thread.
func TestWritesNeverHold(t *testing.T) {
	r, f, peer := readerPair(t)
	read := byteHeld(t, r, f, peer)
	wrote := make(chan error, 1)
	go func() {
		p, err := make([]byte, 1<<20), error(nil)
		for _, parts := range []int{1, 2} { // each has its own call of the system
			for n := 1; n > 0 && err == nil; {
				n, err = r.Write(p, parts)
			}
		}
		wrote <- err
	}()
	select {
	case err := <-wrote:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(heldLong / 2):
		t.Fatal("a write waits")
	}
	finish(t, read, peer)
}

// cancelledOnceSent is cancelled when it is looked at for the second time: a call does so before it begins, and before it reads.
type cancelledOnceSent struct {
	context.Context
	cancel context.CancelFunc
	looked atomic.Int32
}

func (c *cancelledOnceSent) Err() error {
	if c.looked.Add(1) > 1 {
		c.cancel()
	}
	return c.Context.Err()
}

// TestCallsHold makes calls one at a time: each holds its thread once an answer has come, unless it has little time. One that
// reads nothing has the next one hold no thread.
func TestCallsHold(t *testing.T) {
	s, _, release := holdingServer(t, nil)
	const opDeaf = opHold + 1
	deaf := make(chan struct{})
	s.Handle(opDeaf, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		<-deaf
		return nil, nil
	})
	var served sync.WaitGroup
	client := pairTo(t, s, &served)
	c, err := ipc.NewConn(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	ipc.Apart(c)
	if err := <-later(c, opEcho, "one"); err != nil || waitable(t, client) {
		t.Fatal("the first call is prepared to hold its thread, or failed:", err)
	}
	if err := <-later(c, opEcho, "two"); err != nil {
		t.Fatal(err)
	}
	waitLong(t, client) // the second call has set the usual time
	answered := func(call <-chan error) {
		release <- struct{}{}
		if err := <-call; err != nil {
			t.Fatal(err)
		}
	}
	answered(readHeld(t, 1, func() <-chan error { return later(c, opHold, "") }, answered))
	ctx := &cancelledOnceSent{}
	ctx.Context, ctx.cancel = context.WithCancel(t.Context())
	if _, err := c.Call(ctx, opDeaf, nil); !errors.Is(err, context.Canceled) {
		t.Error("a call that is cancelled before it reads:", err)
	}
	start := time.Now()
	_, err = c.CallAppend(nil, opDeaf, nil, 2*ipc.HoldFor)
	if took := time.Since(start); !errors.Is(err, ipc.ErrTimeout) || took >= heldLong {
		t.Errorf("a call with little time: %v after %v", err, took)
	}
	close(deaf)
	c.Close()
	served.Wait()
}

// TestCallsInProcessPark calls a server of the same process, which may need the processor of the caller.
func TestCallsInProcessPark(t *testing.T) {
	var served sync.WaitGroup
	client := pairTo(t, newServer(t, nil), &served)
	c, err := ipc.NewConn(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-later(c, opEcho, "a"); err != nil || waitable(t, client) {
			t.Fatal("a call is prepared to hold its thread, or failed:", err)
		}
	}
	c.Close()
	served.Wait()
}

// TestCallFileWhileProbing calls for a descriptor, with little time, while another goroutine waits for a sign of life: a read that
// held its thread would keep the call from leaving.
func TestCallFileWhileProbing(t *testing.T) {
	client, server := ipctest.Pair(t)
	c, err := ipc.NewConn(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	ipc.Apart(c)
	var served sync.WaitGroup
	served.Go(func() { // ends with the connection
		defer server.Close()
		ipc.ReadRawHello(server)
		server.Write(ipc.RawAck(1, 256))
		for range 2 {
			server.Write(answer(next(server), "").Append(nil))
		}
		untilClosed(server)
	})
	defer served.Wait()
	defer c.Close()
	for range 2 {
		if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
			t.Fatal(err)
		}
	}
	waitLong(t, client)
	probe := make(chan error, 1)
	probing, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { probe <- c.Ping(probing) }()
	awaitReads(t, 1)
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 2*ipc.HoldFor)
	defer cancel()
	_, err = c.CallFile(ctx, opEcho, nil)
	if took := time.Since(start); !errors.Is(err, ipc.ErrTimeout) || took >= heldLong/2 {
		t.Errorf("a call with little time: %v after %v", err, took)
	}
	stop()
	if err := <-probe; !errors.Is(err, context.Canceled) {
		t.Error("nobody answers, but the probe says", err)
	}
}
