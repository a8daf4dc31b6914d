package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// fileServer answers the file that the request names.
func fileServer(t *testing.T) (s *ipc.Server, dir string) {
	s, dir = newServer(t, nil), t.TempDir()
	open := func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		f, err := os.Open(filepath.Join(dir, string(req.Payload)))
		if err != nil {
			return nil, &ipc.RemoteError{Code: ipc.CodeHost, Message: err.Error()}
		}
		return &ipc.Response{File: f}, nil
	}
	s.Handle(50, open)
	s.HandleFast(51, open)
	return s, dir
}

// TestFileAnswers asks for files as bytes and as files: what comes must be the same.
func TestFileAnswers(t *testing.T) {
	s, dir := fileServer(t)
	c, conn := ipctest.Client(t, s, nil), ipctest.Conn(t, s, nil)
	for _, op := range []uint16{50, 51} {
		for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 1<<20 + 1} {
			t.Run(strconv.Itoa(int(op))+"/"+strconv.Itoa(n), func(t *testing.T) {
				want := testkit.Bytes(testkit.Rand(t), n)
				if err := os.WriteFile(filepath.Join(dir, "a"), want, 0o600); err != nil {
					t.Fatal(err)
				}
				b, err := c.Call(t.Context(), op, []byte("a"))
				if err != nil || !bytes.Equal(b, want) {
					t.Errorf("as bytes: %d came, %v", len(b), err)
				}
				for _, call := range []func(context.Context, uint16, []byte) (*ipc.File, error){c.CallFile, conn.CallFile} {
					f, err := call(t.Context(), op, []byte("a"))
					if err != nil {
						t.Fatal(err)
					}
					b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
					if err != nil || !bytes.Equal(b, want) || f.Size() != int64(n) {
						t.Errorf("as a file: %d bytes came, size %d, %v", len(b), f.Size(), err)
					}
					if _, ok := f.OS(); ok != (ipc.PassesFiles && n >= 64<<10) {
						t.Errorf("the descriptor came: %v", ok)
					}
					if err := f.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// TestFileErrors holds that a file's error is an answer, and that an answer of bytes is a file.
func TestFileErrors(t *testing.T) {
	s, dir := fileServer(t)
	c := ipctest.Client(t, s, nil)
	_, err := c.CallFile(t.Context(), 50, []byte("missing"))
	if remote, ok := errors.AsType[*ipc.RemoteError](err); !ok || remote.Code != ipc.CodeHost {
		t.Errorf("a missing file says %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "huge"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "huge"), 65<<20); err != nil {
		t.Fatal(err)
	}
	_, err = c.Call(t.Context(), 50, []byte("huge"))
	if _, ok := errors.AsType[*ipc.RemoteError](err); !ok || !errors.Is(err, ipc.ErrTooLarge) || ipc.OutcomeOf(err) != ipc.Answered {
		t.Errorf("a file beyond the limit as bytes says %v, outcome %v", err, ipc.OutcomeOf(err))
	}
	f, err := c.CallFile(t.Context(), opEcho, []byte("just bytes"))
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 5)
	if n, err := f.ReadAt(p, 5); string(p[:n]) != "bytes" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
	f.Close()
}

// TestFileForNobody gives a call up whose handler then answers with a file: that is closed.
func TestFileForNobody(t *testing.T) {
	s, dir := fileServer(t)
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	opened := make(chan *os.File, 1)
	s.Handle(52, func(ctx context.Context, _ *ipc.Request) (*ipc.Response, error) {
		f, err := os.Open(filepath.Join(dir, "a"))
		opened <- f
		<-ctx.Done()
		return &ipc.Response{File: f}, err
	})
	ctx, cancel := context.WithCancel(t.Context())
	called := make(chan struct{})
	c := ipctest.Client(t, s, nil)
	go func() { // ends when it is given up
		defer close(called)
		c.CallFile(ctx, 52, nil)
	}()
	f := <-opened
	cancel()
	<-called
	settled(t, s)
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file was left open: closing says %v", err)
	}
}

// TestFileWithError has handlers return a file and an error: the file is closed.
func TestFileWithError(t *testing.T) {
	s, dir := fileServer(t)
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	files := make(chan *os.File, 1)
	fail := func(context.Context, *ipc.Request) (*ipc.Response, error) {
		return &ipc.Response{File: <-files}, errors.New("and yet it failed")
	}
	s.Handle(52, fail)
	s.HandleFast(53, fail)
	c := ipctest.Client(t, s, nil)
	for _, op := range []uint16{52, 53} {
		f, err := os.Open(filepath.Join(dir, "a"))
		if err != nil {
			t.Fatal(err)
		}
		files <- f
		if _, err := c.Call(t.Context(), op, nil); ipc.OutcomeOf(err) != ipc.Answered {
			t.Errorf("the call says %v", err)
		}
		settled(t, s)
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("operation %d: the file was left open: closing says %v", op, err)
		}
	}
}

// TestFileIsReadOnly holds that nobody can write to the server's file through an answer.
func TestFileIsReadOnly(t *testing.T) {
	if !ipc.PassesFiles {
		t.Skip("descriptors do not travel here")
	}
	s, dir := fileServer(t)
	if err := os.WriteFile(filepath.Join(dir, "a"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := ipctest.Client(t, s, nil).CallFile(t.Context(), 50, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, _ := f.OS()
	if _, err := file.WriteAt([]byte("x"), 0); err == nil {
		t.Error("the file can be written")
	}
	if _, err := f.ReadAt(make([]byte, 1), 1<<20); err != io.EOF {
		t.Errorf("reading at the end says %v", err)
	}
}
