package ipc

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// Ways to get an artifact of 1 MiB, and a call that gets none.
const (
	waySmall  = "a small call"
	wayInBand = "bytes in the answer"
	wayBare   = "descriptor"
	wayRead   = "descriptor, read"
	wayOpened = "descriptor of a file opened for the call"
)

const artifactSize = 1 << 20

// Operations of the server.
const (
	opSmall = 1 + iota
	opInBand
	opBare
	opOpened
)

func fileMatch() match {
	m := match{name: "1 MiB artifact", size: 256}
	m.pairs = versus(wallTime, wayBare, against{waySmall, 1.4})
	m.pairs = append(m.pairs, versus(wallTime, wayRead, against{wayInBand, 0.40})...)
	m.pairs = append(m.pairs, versus(wallTime, wayOpened, against{waySmall, 0})...)
	m.sides = sidesOf(m.pairs, taskFile, 1)
	return m
}

func fileTask(way string) task {
	return task{serve: serveArtifact, open: func(ctx context.Context, p calling) ([]operation, error) {
		return openArtifact(ctx, way, p)
	}}
}

// serveArtifact keeps the artifact open and in memory, so that neither opening nor reading it is
// measured but where a way says so.
func serveArtifact(dir string) (stop func(), err error) {
	path := filepath.Join(dir, "artifact")
	content := make([]byte, artifactSize)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return nil, err
	}
	kept, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	ep, err := ipc.NewEndpointIn(dir, "bench")
	if err != nil {
		return nil, err
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		return nil, err
	}
	s := ipc.NewServer(nil)
	s.Handle(opSmall, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		return r.Reply(r.Payload), nil
	})
	s.Handle(opInBand, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		return r.Reply(content), nil
	})
	s.Handle(opBare, answerFile(func() (*os.File, error) { return duplicate(kept) }))
	s.Handle(opOpened, answerFile(func() (*os.File, error) { return os.Open(path) }))
	go s.Serve(context.Background(), l) // ends when the server is closed
	return func() { s.Close(); kept.Close() }, nil
}

func answerFile(file func() (*os.File, error)) ipc.Handler {
	return func(context.Context, *ipc.Request) (*ipc.Response, error) {
		f, err := file()
		return &ipc.Response{File: f}, err
	}
}

func openArtifact(ctx context.Context, way string, p calling) ([]operation, error) {
	ep, err := ipc.NewEndpointIn(p.Dir, "bench")
	if err != nil {
		return nil, err
	}
	c, err := ipc.DialConn(ctx, ep, nil)
	if err != nil {
		return nil, err
	}
	message, buf := make([]byte, p.Size), make([]byte, artifactSize)
	ops := map[string]operation{
		waySmall:  func() error { return getBytes(c, opSmall, message, buf, p.Size) },
		wayInBand: func() error { return getBytes(c, opInBand, message, buf, artifactSize) },
		wayBare:   func() error { return getFile(c, opBare, message, nil) },
		wayRead:   func() error { return getFile(c, opBare, message, buf) },
		wayOpened: func() error { return getFile(c, opOpened, message, nil) },
	}
	return []operation{ops[way]}, nil
}

func getBytes(c *ipc.Conn, op uint16, message, buf []byte, want int) error {
	answer, err := c.CallAppend(buf[:0], op, message, 30*time.Second)
	if err == nil && len(answer) != want {
		err = fmt.Errorf("bench: %d bytes of %d", len(answer), want)
	}
	return err
}

// getFile gets the artifact as a descriptor and reads it into buf, unless that is nil.
func getFile(c *ipc.Conn, op uint16, message, buf []byte) error {
	f, err := c.CallFile(context.Background(), op, message)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, ok := f.OS(); !ok || f.Size() != artifactSize {
		return fmt.Errorf("bench: no descriptor, but %d bytes in the answer", f.Size())
	}
	if buf != nil {
		_, err = f.ReadAt(buf, 0)
	}
	return err
}
