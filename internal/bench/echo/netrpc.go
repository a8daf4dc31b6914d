package echo

import (
	"context"
	"net"
	"net/rpc"
)

const (
	service = "Echo"
	method  = "Echo"
)

// answerer is the service of net/rpc, with gob as its encoding.
type answerer struct{}

// Echo returns the message.
func (answerer) Echo(message []byte, answer *[]byte) error {
	*answer = message
	return nil
}

func serveNetRPC(dir string) (stop func(), err error) {
	s := rpc.NewServer()
	if err := s.RegisterName(service, answerer{}); err != nil {
		return nil, err
	}
	return serveConns(dir, func(conn net.Conn) { s.ServeConn(conn) })
}

type netRPCSession struct{ *rpc.Client }

func dialNetRPC(ctx context.Context, dir string) (Session, error) {
	conn, err := dialUnix(ctx, dir)
	if err != nil {
		return nil, err
	}
	return netRPCSession{rpc.NewClient(conn)}, nil
}

func (s netRPCSession) Caller() Call {
	var answer []byte
	return func(message []byte) ([]byte, error) {
		answer = answer[:0]
		err := s.Call(service+"."+method, message, &answer)
		return answer, err
	}
}
