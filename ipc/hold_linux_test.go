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

// awaitReads waits until so many goroutines that read hold their thread, and so many others are parked.
func awaitReads(t *testing.T, held, parked int) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(heldLong / 2); time.Now().Before(end); runtime.Gosched() {
		all := stacks[:runtime.Stack(stacks, true)]
		if len(heldRead.FindAll(all, -1)) == held && len(parkedRead.FindAll(all, -1)) == parked {
			return
		}
	}
	t.Fatalf("no %d reads hold their thread beside %d that are parked", held, parked)
}

// TestHold has reads hold their thread: those that are told to, but never two of the process at a time.
func TestHold(t *testing.T) {
	first, firstFile, firstPeer := readerPair(t)
	second, secondFile, secondPeer := readerPair(t)
	for range 3 {
		holdLong(t, first, firstFile)
		one := readByte(first)
		awaitReads(t, 1, 0)
		holdLong(t, second, secondFile)
		two := readByte(second)
		awaitReads(t, 1, 1)
		firstPeer.Write([]byte("a"))
		secondPeer.Write([]byte("b"))
		if err := errors.Join(<-one, <-two); err != nil {
			t.Fatal(err)
		}
		one = readByte(first)
		awaitReads(t, 0, 1)
		firstPeer.Write([]byte("a"))
		if err := <-one; err != nil {
			t.Fatal(err)
		}
	}
}

// TestHoldEnds has a read to which nothing comes let its thread go, so that it can be ended.
func TestHoldEnds(t *testing.T) {
	r, f, _ := readerPair(t)
	r.Hold()
	read := readByte(r)
	awaitReads(t, 0, 1)
	f.SetReadDeadline(time.Unix(1, 0))
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an interrupted read: %v", err)
	}
}

// TestHoldPauses has reads park after holds to which nothing came: twice as many each time, and half of that after one that was not in
// vain.
func TestHoldPauses(t *testing.T) {
	r, f, peer := readerPair(t)
	read := func(limit time.Duration, held, parked int) {
		t.Helper()
		r.Hold()
		holdFor(t, f, limit)
		read := readByte(r)
		awaitReads(t, held, parked)
		peer.Write([]byte("a"))
		if err := <-read; err != nil {
			t.Fatal(err)
		}
	}
	inVain := func(pause int) {
		t.Helper()
		read(ipc.HoldFor, 0, 1)
		for range pause {
			read(heldLong, 0, 1)
		}
	}
	inVain(ipc.PauseMin)
	inVain(2 * ipc.PauseMin)
	read(heldLong, 1, 0)
	inVain(2 * ipc.PauseMin)
	for range 3 {
		read(heldLong, 1, 0)
	}
	inVain(ipc.PauseMin)
	read(heldLong, 1, 0)
}

// TestHoldEndsWithSignal has signals come to the thread that a read holds, as they do in a program with a timer of the system:
// each has the system count anew.
func TestHoldEndsWithSignal(t *testing.T) {
	r, f, peer := readerPair(t)
	holdLong(t, r, f)
	thread, read, end := make(chan int), make(chan error, 1), make(chan struct{})
	go func() { // ends with the read
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		_, err := r.Read(make([]byte, 1))
		read <- err
	}()
	var signals sync.WaitGroup
	tid := <-thread
	awaitReads(t, 1, 0)
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
	awaitReads(t, 0, 1)
	peer.Write([]byte("a"))
	if err := <-read; err != nil {
		t.Fatal(err)
	}
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
	holdLong(t, r, f)
	read := readByte(r)
	awaitReads(t, 1, 0)
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
	peer.Write([]byte("a"))
	if err := <-read; err != nil {
		t.Fatal(err)
	}
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
	third := later(c, opHold, "")
	awaitReads(t, 1, 1)
	release <- struct{}{}
	if err := <-third; err != nil {
		t.Fatal(err)
	}
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
	awaitReads(t, 0, 1)
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
