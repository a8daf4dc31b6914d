package ipc_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
)

func listen(t testing.TB, ep ipc.Endpoint) *ipc.Listener {
	t.Helper()
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t testing.TB, ep ipc.Endpoint) *os.File {
	t.Helper()
	f, err := ep.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func accept(t testing.TB, l *ipc.Listener) *os.File {
	t.Helper()
	f, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// converse sends a byte each way.
func converse(t testing.TB, a, b *os.File) {
	t.Helper()
	for _, end := range []struct{ from, to *os.File }{{a, b}, {b, a}} {
		if _, err := end.from.Write([]byte{7}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(end.to, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListenAccept(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	if l.Endpoint() != ep {
		t.Errorf("endpoint %v, want %v", l.Endpoint(), ep)
	}
	for range 40 { // more than there are pending instances of a pipe
		client := dial(t, ep)
		server := accept(t, l)
		converse(t, client, server)
	}
}

// TestRush has more clients connect at once than there are pending instances of a pipe.
func TestRush(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	const clients = 64
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			f, err := ep.Dial(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if i%4 == 0 {
				return // it came and went
			}
			if _, err := f.Write([]byte{7}); err != nil {
				t.Error(err)
			}
			if n, err := f.Read(make([]byte, 1)); n != 1 {
				t.Error(err)
			}
		})
	}
	served := 0
	for served < clients*3/4 {
		f, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if n, _ := f.Read(b); n == 1 {
			f.Write(b)
			served++
		}
		f.Close()
	}
	wg.Wait()
}

func TestConnectionDeadline(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	client := dial(t, ep)
	server := accept(t, l)
	for name, f := range map[string]*os.File{"client": client, "server": server} {
		f.SetDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := f.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: read beyond the deadline: %v", name, err)
		}
		f.SetDeadline(time.Time{})
	}
	converse(t, client, server)
}

func TestConnectionEnd(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	client := dial(t, ep)
	server := accept(t, l)
	client.Close()
	if n, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after the client has closed: %d, %v", n, err)
	}
}

// TestTwoListeners has many listeners ask for one name at once: one gets it.
func TestTwoListeners(t *testing.T) {
	ep := newEndpoint(t, "a")
	first := listen(t, ep)
	if second, err := ipc.Listen(ep, nil); err == nil {
		second.Close()
		t.Skip("this system, as wine does, lets several processes make the first instance of a pipe")
	}
	first.Close()
	var wg sync.WaitGroup
	got := make(chan *ipc.Listener, 16)
	for range cap(got) {
		wg.Go(func() {
			l, err := ipc.Listen(ep, nil)
			if err == nil {
				got <- l
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("%d listeners at one endpoint", len(got))
	}
	(<-got).Close()
	listen(t, ep)
}

func TestListenEndsWithClose(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := ep.Dial(t.Context()); !errors.Is(err, ipc.ErrNotRunning) {
		t.Errorf("dial after close: %v", err)
	}
	if !errors.Is(ipc.ErrNotRunning, fs.ErrNotExist) {
		t.Error("ErrNotRunning is no ErrNotExist")
	}
}

// TestCloseWithConnectsInFlight closes listeners while clients come and go: nobody hangs.
func TestCloseWithConnectsInFlight(t *testing.T) {
	ep := newEndpoint(t, "a")
	for i := range 200 {
		l := listen(t, ep)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					f, err := ep.Dial(t.Context())
					if err != nil {
						if !errors.Is(err, ipc.ErrNotRunning) {
							t.Error(err)
						}
						return
					}
					f.Read(make([]byte, 1)) // until the server has seen it, or never will
					f.Close()
				}
			})
		}
		taken := make(chan struct{}, 1)
		all.Go(func() {
			for {
				f, err := l.Accept()
				if err != nil {
					if !errors.Is(err, fs.ErrClosed) {
						t.Error(err)
					}
					return
				}
				f.Close()
				select {
				case taken <- struct{}{}:
				default:
				}
			}
		})
		for range i % 8 {
			<-taken
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}

// TestRefuse has clients in the queue while the listener stops taking more.
func TestRefuse(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	var clients []*os.File
	for range 3 {
		f := dial(t, ep)
		if _, err := f.Write([]byte("sent")); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, f)
	}
	if err := l.Refuse(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel() // a pipe stays busy for as long as it has clients
	f, err := ep.Dial(ctx)
	if !errors.Is(err, ipc.ErrNotRunning) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial of a listener that refuses: %v, %v", f, err)
	}
	for range clients {
		f := accept(t, l)
		b := make([]byte, 4)
		if _, err := io.ReadFull(f, b); err != nil || string(b) != "sent" {
			t.Errorf("from a client in the queue: %q, %v", b, err)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("accept with an empty queue: %v", err)
	}
}

func TestRefuseEndsAccept(t *testing.T) {
	l := listen(t, newEndpoint(t, "a"))
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	if err := l.Refuse(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

func TestListening(t *testing.T) {
	ep := newEndpoint(t, "a")
	if ep.Listening() {
		t.Error("somebody listens before anybody does")
	}
	l := listen(t, ep)
	if !ep.Listening() {
		t.Error("nobody listens")
	}
	client := dial(t, ep)
	for {
		server := accept(t, l)
		if _, err := client.Write([]byte{7}); err != nil {
			t.Fatal(err)
		}
		n, err := server.Read(make([]byte, 1))
		server.Close()
		if n == 1 {
			break // the one before was the question's connection
		} else if err != io.EOF {
			t.Fatal(err)
		}
	}
	client.Close()
	l.Close()
	if ep.Listening() {
		t.Error("somebody listens after close")
	}
}

func TestDialNobody(t *testing.T) {
	if _, err := newEndpoint(t, "a").Dial(t.Context()); !errors.Is(err, ipc.ErrNotRunning) {
		t.Errorf("dial: %v", err)
	}
}

func TestDialTooLate(t *testing.T) {
	ep := newEndpoint(t, "a")
	listen(t, ep)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ep.Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v", err)
	}
}

// TestDialWaitsForStarter dials while somebody holds a lock beside the endpoint.
func TestDialWaitsForStarter(t *testing.T) {
	for _, suffix := range []string{ipc.ClaimSuffix, ipc.StartSuffix} {
		t.Run(suffix, func(t *testing.T) {
			ep := newEndpoint(t, "a")
			free := hold(t, ep.Beside(suffix))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			if _, err := ep.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("dial while the lock is held: %q", err)
			}
			dialled := make(chan error)
			go func() {
				f, err := ep.Dial(t.Context())
				if err == nil {
					f.Close()
				}
				dialled <- err
			}()
			l := listen(t, ep)
			if err := <-dialled; err != nil {
				t.Errorf("dial when somebody listens at last: %v", err)
			}
			l.Close()
			free()
			if _, err := ep.Dial(t.Context()); !errors.Is(err, ipc.ErrNotRunning) {
				t.Errorf("dial when the lock is free: %v", err)
			}
		})
	}
}

func TestPeer(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	client := dial(t, ep)
	server := accept(t, l)
	for name, f := range map[string]*os.File{"client": client, "server": server} {
		p, err := ipc.PeerOf(f)
		if err != nil {
			t.Fatal(name, err)
		}
		if p.PID != os.Getpid() || p.UID != os.Geteuid() || !p.SameUser {
			t.Errorf("%s: peer %+v, want process %d of user %d", name, p, os.Getpid(), os.Geteuid())
		}
		if process, err := p.Process(); err != nil || process.Start == 0 || !process.Alive() {
			t.Errorf("%s: process %+v, %v", name, process, err)
		}
		if shares, err := p.SharesFiles(); err != nil || !shares {
			t.Errorf("%s: the peer in this process sees our files: %v, %v", name, shares, err)
		}
	}
	converse(t, client, server)
}
