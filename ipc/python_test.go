//go:build unix

package ipc_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestPythonClient lets a client that was written from PROTOCOL.md alone talk to the server.
func TestPythonClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	source, err := os.ReadFile("testdata/client.py")
	if lines := bytes.Count(source, []byte("\n")); err != nil || lines > 150 {
		t.Errorf("the client has %d lines, %v, and shows no longer how simple the protocol is", lines, err)
	}
	s := newServer(t, &ipc.ServerOptions{Version: "1.2.3", Limits: ipc.Limits{CallsPerConnection: 5, Calls: 2}})
	s.HandleStream(opCopy, func(_ context.Context, _ *ipc.Request, st *ipc.Stream) error {
		_, err := io.Copy(st, st)
		return err
	})
	s.Handle(opHold, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ep := ipctest.Server(t, s)
	out, err := exec.CommandContext(t.Context(), python, "testdata/client.py", ep.String()).CombinedOutput()
	want := []string{
		"ping b'' version 1.2.3", "status 2", "call question", "pieces True", "stream True",
		"busy error 16", "timeout error 4", "unknown error 3", "shutdown b''", "afterwards error 17", "closed between frames",
	}
	if got := strings.TrimSpace(string(out)); err != nil || got != strings.Join(want, "\n") {
		t.Errorf("the client says, with %v:\n%s", err, got)
	}
}
