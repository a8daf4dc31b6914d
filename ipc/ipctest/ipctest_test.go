package ipctest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

func echoServer() *ipc.Server {
	s := ipc.NewServer(&ipc.ServerOptions{Version: "test"})
	s.Handle(1, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		return req.Reply(req.Payload), nil
	})
	return s
}

func TestPair(t *testing.T) {
	a, b := ipctest.Pair(t)
	go func() { // ends with the pair
		io.Copy(b, b)
		b.Close()
	}()
	if _, err := a.Write([]byte("there and back")); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, len("there and back"))
	if _, err := io.ReadFull(a, p); string(p) != "there and back" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
	a.Close()
}

// TestServer is served until its end, which the leak check at the end of all tests needs.
func TestServer(t *testing.T) {
	var ep ipc.Endpoint
	t.Run("while the test runs", func(t *testing.T) {
		ep = ipctest.Server(t, echoServer())
		c, err := ipc.Dial(t.Context(), ep, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if b, err := c.Call(t.Context(), 1, []byte("x")); string(b) != "x" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
	if _, err := ipc.Dial(t.Context(), ep, nil); !errors.Is(err, ipc.ErrNotRunning) {
		t.Errorf("after the test, dial says %v", err)
	}
}

func TestClients(t *testing.T) {
	s := echoServer()
	t.Cleanup(func() { s.Close() })
	for name, c := range map[string]ipc.Caller{
		"lockstep": ipctest.Conn(t, s, nil), "multiplexed": ipctest.Client(t, s, nil),
	} {
		if b, err := c.Call(t.Context(), 1, []byte(name)); string(b) != name || err != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	if a, b := ipctest.Endpoint(t), ipctest.Endpoint(t); a == b {
		t.Errorf("two tests have one endpoint: %v", a)
	}
}

// TestEndpointRemoved has nothing left of an endpoint after its test.
func TestEndpointRemoved(t *testing.T) {
	var dir string
	t.Run("while the test runs", func(t *testing.T) {
		dir = filepath.Dir(ipctest.Endpoint(t).Beside(""))
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}
