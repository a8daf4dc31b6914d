//go:build unix

package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// roles are what the tests of this package start as other processes.
var roles = map[string]testkit.Role{"serve": serveRole, "elsewhere": elsewhereRole}

// serveRole serves an endpoint in a folder with at most so many descriptors, and prints the events.
func serveRole(args []string) int {
	if n, _ := strconv.Atoi(args[1]); n > 0 {
		var limit syscall.Rlimit
		setBoth(&limit.Cur, &limit.Max, n)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	ep, err := ipc.NewEndpointIn(args[0], "test")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	s := ipc.NewServer(&ipc.ServerOptions{Events: func(e ipc.Event) { fmt.Println(e.Kind) }})
	s.Handle(opEcho, echo)
	fmt.Println("ready")
	if err := s.Serve(context.Background(), l); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// setBoth sets numbers whose type differs from system to system.
func setBoth[T int64 | uint64](cur, most *T, n int) { *cur, *most = T(n), T(n) }

// serverProcess starts a server in another process.
func serverProcess(t *testing.T, descriptors int) (ipc.Endpoint, *testkit.Child) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ipc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	child := testkit.Start(t, "serve", dir, strconv.Itoa(descriptors))
	expectLine(t, child, "ready")
	ep, err := ipc.NewEndpointIn(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	return ep, child
}

func expectLine(t *testing.T, c *testkit.Child, want string) {
	t.Helper()
	if line, err := c.Out.ReadString('\n'); strings.TrimSpace(line) != want {
		t.Fatalf("the server says %q, %v, want %q", line, err, want)
	}
}

func dialTest(t *testing.T, ep ipc.Endpoint, o *ipc.ClientOptions) *ipc.Client {
	t.Helper()
	c, err := ipc.Dial(t.Context(), ep, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestStoppedServerIsWedged stops a server with a signal: it is wedged, not busy, and is used again when
// it goes on.
func TestStoppedServerIsWedged(t *testing.T) {
	ep, child := serverProcess(t, 0)
	c := dialTest(t, ep, &ipc.ClientOptions{PingEvery: 50 * time.Millisecond})
	if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
		t.Fatal(err)
	}
	child.Cmd.Process.Signal(syscall.SIGSTOP)
	start, err := time.Now(), error(nil)
	for err == nil { // the signal takes a moment
		start = time.Now()
		_, err = c.Call(t.Context(), opEcho, nil)
	}
	if !errors.Is(err, ipc.ErrWedged) {
		t.Errorf("a call to a stopped server says %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("that took %v", took)
	}
	child.Cmd.Process.Signal(syscall.SIGCONT)
	for errors.Is(err, ipc.ErrWedged) { // the signal takes a moment, or much longer where much is going on
		_, err = c.Call(t.Context(), opEcho, nil)
	}
	if err != nil {
		t.Errorf("when the server goes on: %v", err)
	}
}

// TestKilledServer kills a server while calls wait, and before the next one.
func TestKilledServer(t *testing.T) {
	ep, child := serverProcess(t, 0)
	c := dialTest(t, ep, nil)
	if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
		t.Fatal(err)
	}
	child.Kill()
	_, err := c.Call(t.Context(), opEcho, nil)
	if !errors.Is(err, ipc.ErrNotRunning) || ipc.OutcomeOf(err) != ipc.NotProcessed {
		t.Errorf("the next call says %v", err)
	}
}

// TestOutOfDescriptors takes all descriptors of a server: those connected are served, it does not spin,
// and takes connections again when there are some.
func TestOutOfDescriptors(t *testing.T) {
	ep, child := serverProcess(t, 24)
	var clients []*ipc.Client
	for range 30 {
		clients = append(clients, dialTest(t, ep, nil))
	}
	served := 0
	for _, c := range clients {
		if _, err := c.CallAppend(nil, opEcho, nil, 20*time.Millisecond); err == nil {
			served++
		}
	}
	expectLine(t, child, ipc.EventAccept)
	if served == 0 || served == len(clients) {
		t.Fatalf("%d of %d clients are served", served, len(clients))
	}
	for _, c := range clients[:10] {
		if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
			t.Errorf("a connected client says %v", err)
		}
	}
	<-time.After(300 * time.Millisecond) // what it would spend, if it did not wait
	for _, c := range clients[:20] {
		c.Close()
	}
	expectLine(t, child, ipc.EventAcceptAgain)
	for _, c := range clients[20:] {
		if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
			t.Errorf("a client that waited says %v", err)
		}
	}
	child.Kill()
	state := child.Cmd.ProcessState
	if used := state.UserTime() + state.SystemTime(); used > 250*time.Millisecond {
		t.Errorf("the server has worked for %v, mostly while it could not accept", used)
	}
}

// TestSmallBuffers has more callers than the connection's buffers hold frames, each with more bytes than
// fit: whoever reads must never wait for a write, and newcomers must not overtake for long those who do.
func TestSmallBuffers(t *testing.T) {
	callers, during := 256, 300*time.Millisecond
	if long {
		callers, during = 2048, 15*time.Second
	}
	all := runtime.GOMAXPROCS(0)
	for _, on := range []struct{ buffer, processors, fair int }{
		{0, all, 8},    // the default
		{2304, all, 8}, // 4.6 KB as the system counts
		{2304, 1, 5},   // where goroutines take turns
	} {
		t.Run(fmt.Sprintf("%d, %d processors", on.buffer, on.processors), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(on.processors))
			s := newServer(t, &ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: callers}})
			client, server := ipctest.Pair(t)
			if on.buffer > 0 {
				setBuffers(t, on.buffer, client, server)
			}
			done := make(chan struct{})
			go func() { // ends with the connection
				defer close(done)
				s.ServeConn(server)
			}()
			c, err := ipc.NewClient(client, nil)
			if err != nil {
				t.Fatal(err)
			}
			end := time.Now().Add(during)
			var ended atomic.Int64
			most := make([]int64, callers)
			var all sync.WaitGroup
			for i := range callers {
				all.Go(func() {
					req, buf := make([]byte, 4<<10), make([]byte, 0, 4<<10)
					req[0] = byte(i)
					before := ended.Load()
					for time.Now().Before(end) {
						b, err := c.CallAppend(buf, opEcho, req, 30*time.Second)
						if err != nil || len(b) != len(req) || b[0] != byte(i) {
							t.Errorf("caller %d: %d bytes, %v", i, len(b), err)
							return
						}
						after := ended.Add(1)
						most[i] = max(most[i], after-before)
						before = after
					}
				})
			}
			all.Wait()
			n := slices.Max(most)
			t.Logf("%d calls, %d of them during one", s.Status().Calls, n)
			if n > int64(on.fair*callers) {
				t.Errorf("%d calls of %d callers ended during one", n, callers)
			}
			c.Close()
			<-done
		})
	}
}

func setBuffers(t *testing.T, size int, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, size),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
