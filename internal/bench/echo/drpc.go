package echo

import (
	"context"
	"net"

	"storj.io/drpc"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcserver"
)

// rawDRPC passes bytes on and reads into the memory that the caller has.
type rawDRPC struct{}

// Marshal returns the message itself.
func (rawDRPC) Marshal(m drpc.Message) ([]byte, error) { return *m.(*[]byte), nil }

// Unmarshal copies, because b is used again.
func (rawDRPC) Unmarshal(b []byte, m drpc.Message) error {
	message := m.(*[]byte)
	*message = append((*message)[:0], b...)
	return nil
}

// answererDRPC answers every operation of a drpc server.
type answererDRPC struct{}

// HandleRPC sends the message back.
func (answererDRPC) HandleRPC(s drpc.Stream, _ string) error {
	var message []byte
	if err := s.MsgRecv(&message, rawDRPC{}); err != nil {
		return err
	}
	return s.MsgSend(&message, rawDRPC{})
}

func serveDRPC(dir string) (stop func(), err error) {
	l, err := net.Listen("unix", socketIn(dir))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go drpcserver.New(answererDRPC{}).Serve(ctx, l) // ends with ctx
	return cancel, nil
}

type drpcSession struct{ *drpcconn.Conn }

func dialDRPC(ctx context.Context, dir string) (Session, error) {
	conn, err := dialUnix(ctx, dir)
	if err != nil {
		return nil, err
	}
	return drpcSession{drpcconn.New(conn)}, nil
}

func (s drpcSession) Caller() Call {
	var answer []byte
	return func(message []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		err := s.Invoke(ctx, service, rawDRPC{}, &message, &answer)
		return answer, err
	}
}
