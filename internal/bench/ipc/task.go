package ipc

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/larderbuild/larder/internal/bench/echo"
)

// task is what one side of a comparison does, over and over.
type task struct {
	batch int // messages of one operation; 0 is 1
	// serve listens in dir, which the task has for itself, until stop is called.
	serve func(dir string) (stop func(), err error)
	// open connects and returns an operation for each caller, to be repeated by one goroutine. The
	// connection ends with the process.
	open func(ctx context.Context, p calling) ([]operation, error)
}

type operation func() error

// Tasks are named by one of these and what they are done with.
const (
	taskEcho = "echo " // and a kind: call on an open connection
	taskDial = "dial " // and a kind: connect, call, close
	taskFile = "file " // and a way to get an artifact
)

func taskNamed(name string) (task, error) {
	if way, ok := strings.CutPrefix(name, taskFile); ok {
		return fileTask(way), nil
	}
	kindName, dials := strings.CutPrefix(name, taskDial)
	kind, ok := echo.Named(strings.TrimPrefix(kindName, taskEcho))
	if !ok {
		return task{}, fmt.Errorf("bench: no task %q", name)
	}
	t := task{batch: kind.Batch, serve: kind.Serve}
	t.open = func(ctx context.Context, p calling) ([]operation, error) {
		dial, err := kind.Dialer(p.Dir)
		if err != nil {
			return nil, err
		}
		if dials {
			return []operation{dialing(ctx, dial, p)}, nil
		}
		return openEcho(ctx, dial, p)
	}
	return t, nil
}

func openEcho(ctx context.Context, dial echo.Dial, p calling) ([]operation, error) {
	session, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	var ops []operation
	for range p.Callers {
		m, call := newMessage(p.Size), session.Caller()
		ops = append(ops, func() error { return m.echo(call) })
	}
	return ops, nil
}

// dialing makes a connection for each call.
func dialing(ctx context.Context, dial echo.Dial, p calling) operation {
	m := newMessage(p.Size)
	return func() error {
		session, err := dial(ctx)
		if err != nil {
			return err
		}
		if err := m.echo(session.Caller()); err != nil {
			session.Close()
			return err
		}
		return session.Close()
	}
}

// message is what a caller sends: other bytes each time.
type message struct {
	bytes []byte
	n     uint64
}

func newMessage(size int) *message {
	m := &message{bytes: make([]byte, size)}
	for i := range m.bytes {
		m.bytes[i] = byte(i * 31)
	}
	return m
}

// echo sends the message and looks at length and ends of the answer: more would be measured too.
func (m *message) echo(call echo.Call) error {
	m.n++
	if len(m.bytes) >= 8 {
		binary.LittleEndian.PutUint64(m.bytes, m.n)
	}
	answer, err := call(m.bytes)
	if err != nil {
		return err
	}
	end := min(64, len(m.bytes))
	if len(answer) != len(m.bytes) || !bytes.Equal(answer[:end], m.bytes[:end]) ||
		!bytes.Equal(answer[len(answer)-end:], m.bytes[len(m.bytes)-end:]) {
		return fmt.Errorf("bench: the answer to message %d has other bytes", m.n)
	}
	return nil
}
