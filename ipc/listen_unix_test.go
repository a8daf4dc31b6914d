//go:build unix

package ipc_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestSocketMode looks at the socket with a umask that would leave it open to all. No other test
// may run at the same time: the umask is the process's.
func TestSocketMode(t *testing.T) {
	ep := newEndpoint(t, "a")
	defer syscall.Umask(syscall.Umask(0))
	listen(t, ep)
	info, err := os.Lstat(ep.String())
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("socket: %v, %v", info.Mode(), err)
	}
	if l, err := ipc.Listen(ep, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second listener: %v, %v", l, err)
	}
	entries, err := os.ReadDir(filepath.Dir(ep.String()))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the socket", entries, err)
	}
}

// TestSocketNeverHalfMade connects without pause while the name comes up: whoever finds the name
// gets through. Nobody may find a socket that does not listen yet.
func TestSocketNeverHalfMade(t *testing.T) {
	ep := newEndpoint(t, "a")
	for range 50 {
		connected := make(chan error)
		go func() {
			for {
				f, err := ep.Dial(t.Context())
				if errors.Is(err, ipc.ErrNotRunning) {
					if _, err := os.Lstat(ep.String()); err != nil {
						continue // not there yet
					}
					f, err = ep.Dial(t.Context())
				}
				if err == nil {
					f.Close()
				}
				connected <- err
				return
			}
		}()
		l := listen(t, ep)
		if err := <-connected; err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

// TestListenOwned takes over what a killed server has left.
func TestListenOwned(t *testing.T) {
	ep := newEndpoint(t, "a")
	leaveSocket(t, ep.String())
	leaveSocket(t, ep.Beside(".t12345678"))
	if err := os.WriteFile(ep.Beside(".tar"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ipc.Listen(ep, nil); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("listen at a name that is taken: %v", err)
	}
	l, err := ipc.Listen(ep, &ipc.ListenOptions{Owned: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	converse(t, dial(t, ep), accept(t, l))
	entries, err := os.ReadDir(filepath.Dir(ep.String()))
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v; want the socket and a file of the host", entries, err)
	}
}

// leaveSocket makes a socket that nobody listens at.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
}

// TestCloseLeavesOthersName has a successor take the name before the first listener closes.
func TestCloseLeavesOthersName(t *testing.T) {
	ep := newEndpoint(t, "a")
	old := listen(t, ep)
	l, err := ipc.Listen(ep, &ipc.ListenOptions{Owned: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	old.Close()
	converse(t, dial(t, ep), accept(t, l))
}

// TestBacklogFull fills the queue: one more client waits until there is room.
func TestBacklogFull(t *testing.T) {
	ep := newEndpoint(t, "a")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: ep.String()}), syscall.Listen(fd, 0))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ipc.Listen(ep, &ipc.ListenOptions{Inherited: f})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const clients = 8
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			f, err := ep.Dial(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			f.Close()
		})
	}
	for range clients {
		accept(t, l)
	}
	wg.Wait()
}

func TestInherited(t *testing.T) {
	ep := newEndpoint(t, "a")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inherited")
	if _, err := ipc.Listen(ep, &ipc.ListenOptions{Inherited: f}); err == nil {
		t.Fatal("a socket that does not listen was taken over")
	}
	if err := f.Close(); err == nil {
		t.Error("the file was not taken over")
	}
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ipc.Listen(ep, &ipc.ListenOptions{Inherited: plain}); err == nil {
		t.Error("a file that is no socket was taken over")
	}
	distant, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("there is no network:", err)
	}
	defer distant.Close()
	f, err = distant.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ipc.Listen(ep, &ipc.ListenOptions{Inherited: f}); err == nil {
		t.Error("a socket of the network was taken over")
	}
}

func TestInheritedKeepsName(t *testing.T) {
	ep := newEndpoint(t, "a")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: ep.String()}), syscall.Listen(fd, 8))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := syscall.Dup(fd) // as the service manager keeps it
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(kept)
	o := &ipc.ListenOptions{Inherited: os.NewFile(uintptr(fd), "inherited")}
	l, err := ipc.Listen(ep, o)
	if err != nil {
		t.Fatal(err)
	}
	converse(t, dial(t, ep), accept(t, l))
	if err := l.Refuse(); err != nil {
		t.Fatal(err)
	}
	dial(t, ep) // and wait for the next process
	if f, err := l.Accept(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("accept after refuse: %v, %v", f, err)
	}
	l.Close()
	if _, err := os.Lstat(ep.String()); err != nil {
		t.Errorf("the name of the service manager's socket is gone: %v", err)
	}
}

func TestActivatedVariables(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		name, pid, fds string
		fails          bool
	}{
		{"none", "", "", false},
		{"for another process", "1", "2", false},
		{"no number", own, "two", true},
		{"negative", own, "-1", true},
		{"endless", own, "1000000", true},
		{"zero", own, "0", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{"LISTEN_PID": c.pid, "LISTEN_FDS": c.fds}
			files, err := ipc.Activated(func(name string) string { return env[name] })
			if len(files) > 0 || (err != nil) != c.fails {
				t.Errorf("%d files, %v", len(files), err)
			}
		})
	}
}

// TestDescriptorsStayHere looks for descriptors that a started program would get.
func TestDescriptorsStayHere(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	client := dial(t, ep)
	server := accept(t, l)
	staysHere(t, "client", client)
	staysHere(t, "server", server)
}

// TestFilesStayHere looks at a descriptor that came with an answer.
func TestFilesStayHere(t *testing.T) {
	s, dir := fileServer(t)
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := ipctest.Client(t, s, nil).CallFile(t.Context(), 50, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	own, ok := f.OS()
	if !ok {
		t.Fatal("no descriptor came")
	}
	staysHere(t, "file", own)
}

func staysHere(t *testing.T, name string, f *os.File) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("%s: descriptor %d is passed on", name, fd)
		}
	})
}

// TestRefuseLosesNobody has a client connect, and the listener stop taking clients, just after Accept
// has found nobody.
func TestRefuseLosesNobody(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	ipc.OnceNobodyWaits(l, func() {
		dial(t, ep)
		if err := l.Refuse(); err != nil {
			t.Error(err)
		}
	})
	accept(t, l)
	if _, err := l.Accept(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("accept with an empty queue: %v", err)
	}
}
