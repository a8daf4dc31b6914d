package echo

import (
	"context"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// Operations of our server.
const (
	opEcho = 1 + iota // on a goroutine of its own
	opFast            // on the goroutine that reads
)

func serveLarder(dir string) (stop func(), err error) {
	ep, err := endpointIn(dir)
	if err != nil {
		return nil, err
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		return nil, err
	}
	s := ipc.NewServer(nil)
	s.Handle(opEcho, answerLarder)
	s.HandleFast(opFast, answerLarder)
	go s.Serve(context.Background(), l) // ends when the server is closed
	return func() { s.Close() }, nil
}

func endpointIn(dir string) (ipc.Endpoint, error) { return ipc.NewEndpointIn(dir, "bench") }

func answerLarder(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
	return r.Reply(r.Payload), nil
}

// larderClient is an [ipc.Conn] or [ipc.Client].
type larderClient interface {
	CallAppend(dst []byte, op uint16, payload []byte, timeout time.Duration) ([]byte, error)
	Close() error
}

type larderSession struct {
	larderClient
	op uint16
}

// dialerLarder is the dialer of one of our clients, which make connections to an endpoint.
func dialerLarder(dial func(context.Context, ipc.Endpoint) (Session, error)) dialer {
	return func(dir string) (Dial, error) {
		ep, err := endpointIn(dir)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (Session, error) { return dial(ctx, ep) }, nil
	}
}

func dialConn(op uint16) func(context.Context, ipc.Endpoint) (Session, error) {
	return func(ctx context.Context, ep ipc.Endpoint) (Session, error) {
		c, err := ipc.DialConn(ctx, ep, nil)
		if err != nil {
			return nil, err
		}
		return larderSession{c, op}, nil
	}
}

func dialClient(ctx context.Context, ep ipc.Endpoint) (Session, error) {
	c, err := ipc.Dial(ctx, ep, nil)
	if err != nil {
		return nil, err
	}
	return larderSession{c, opEcho}, nil
}

// Caller appends to memory that it keeps.
func (s larderSession) Caller() Call {
	var answer []byte
	return func(message []byte) (_ []byte, err error) {
		got, err := s.CallAppend(answer[:0], s.op, message, timeout)
		if err == nil {
			answer = got
		}
		return got, err
	}
}
