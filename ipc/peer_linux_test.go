package ipc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
)

// asNobody runs f on a thread of another user, if this process may do that.
func asNobody(f func()) bool {
	done := make(chan bool)
	go func() { // ends after f
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), nobody, ^uintptr(0))
		if errno == 0 {
			f()
		}
		done <- errno == 0
	}()
	return <-done
}

// foreignPair is a connection whose ends belong to another user.
func foreignPair(t *testing.T) (client, server *os.File) {
	t.Helper()
	var fds [2]int
	var err error
	if !asNobody(func() {
		fds, err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	}) {
		t.Skip("only root can be another user")
	}
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "client"), os.NewFile(uintptr(fds[1]), "server")
}

// TestAnotherUser has another user at the other end: neither end speaks to it unless the host allows it.
func TestAnotherUser(t *testing.T) {
	s := newServer(t, &ipc.ServerOptions{Events: func(ipc.Event) {}})
	client, server := foreignPair(t)
	client.Write(append(ipc.RawHello(1), frame(request(0, "x"))...))
	if err := s.ServeConn(server); !errors.Is(err, ipc.ErrRefused) || s.Status().Calls != 0 {
		t.Errorf("a server of another user says %v", err)
	}
	client.Close()

	client, server = foreignPair(t)
	if _, err := ipc.NewClient(client, nil); !errors.Is(err, ipc.ErrRefused) {
		t.Errorf("a client of another user's server says %v", err)
	}
	if b, err := io.ReadAll(server); len(b) > 0 || err != nil {
		t.Errorf("the strange server was told %q, %v", b, err)
	}
	server.Close()

	allow := func(p ipc.Peer) bool { return p.UID == nobody && !p.SameUser && p.PID == os.Getpid() }
	s = newServer(t, &ipc.ServerOptions{Allow: allow})
	s.Handle(5, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		if !allow(req.Peer()) {
			return nil, fmt.Errorf("the peer is %+v", req.Peer())
		}
		return nil, nil
	})
	client, server = foreignPair(t)
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		s.ServeConn(server)
	}()
	c, err := ipc.NewClient(client, &ipc.ClientOptions{Allow: allow})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), 5, nil); err != nil {
		t.Errorf("with another user that is allowed: %v", err)
	}
	c.Close()
	<-done
}

// TestSharesFiles looks at processes that see other files under the same paths.
func TestSharesFiles(t *testing.T) {
	for _, tc := range []struct {
		name, root string
		flags      uintptr
		shares     bool
	}{
		{"same", "/", 0, true},
		{"other root", t.TempDir(), 0, false},
		{"other mounts", "/", syscall.CLONE_NEWNS, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := testkit.Command(t, "elsewhere", tc.root)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: tc.flags}
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); errors.Is(err, os.ErrPermission) {
				t.Skip("only root can do that:", err)
			} else if err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer in.Close()
			line, err := bufio.NewReader(out).ReadString('\n')
			if line != "there\n" {
				t.Skip("only root can do that:", line, err)
			}
			if shares, err := (ipc.Peer{PID: cmd.Process.Pid}).SharesFiles(); shares != tc.shares || err != nil {
				t.Errorf("it sees our files: %v, %v", shares, err)
			}
		})
	}
}

// elsewhereRole waits in another root folder.
func elsewhereRole(args []string) int {
	if args[0] != "/" {
		if err := syscall.Chroot(args[0]); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("there")
	io.Copy(io.Discard, os.Stdin)
	return 0
}
