package echo

import (
	"context"
	"net"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ttrpc takes protobuf messages only: the message travels in the smallest there is.

func serveTTRPC(dir string) (stop func(), err error) {
	s, err := ttrpc.NewServer()
	if err != nil {
		return nil, err
	}
	s.Register(service, map[string]ttrpc.Method{method: answerTTRPC})
	l, err := net.Listen("unix", socketIn(dir))
	if err != nil {
		return nil, err
	}
	go s.Serve(context.Background(), l) // ends when the server is closed
	return func() { s.Close() }, nil
}

func answerTTRPC(_ context.Context, unmarshal func(any) error) (any, error) {
	var message wrapperspb.BytesValue
	if err := unmarshal(&message); err != nil {
		return nil, err
	}
	return &message, nil
}

type ttrpcSession struct{ *ttrpc.Client }

func dialTTRPC(ctx context.Context, dir string) (Session, error) {
	conn, err := dialUnix(ctx, dir)
	if err != nil {
		return nil, err
	}
	return ttrpcSession{ttrpc.NewClient(conn)}, nil
}

func (s ttrpcSession) Caller() Call {
	return func(message []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		var answer wrapperspb.BytesValue
		err := s.Call(ctx, service, method, &wrapperspb.BytesValue{Value: message}, &answer)
		return answer.Value, err
	}
}
