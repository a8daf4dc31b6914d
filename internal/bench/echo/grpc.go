package echo

import (
	"context"
	"net"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

// rawGRPC passes bytes on and reads into the memory that the caller has.
type rawGRPC struct{}

// Name is the codec's.
func (rawGRPC) Name() string { return "raw" }

// Marshal does not copy: grpc-go writes the message before the call returns.
func (rawGRPC) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal copies, because data goes back to its pool.
func (rawGRPC) Unmarshal(data mem.BufferSlice, v any) error {
	message := v.(*[]byte)
	n := data.Len()
	*message = slices.Grow((*message)[:0], n)[:n]
	data.CopyTo(*message)
	return nil
}

func serveGRPC(dir string) (stop func(), err error) {
	l, err := net.Listen("unix", socketIn(dir))
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(rawGRPC{}))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: service, HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: method, Handler: answerGRPC}},
	}, answerer{})
	go s.Serve(l) // ends when the server is stopped
	return s.Stop, nil
}

func answerGRPC(
	_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
) (any, error) {
	var message []byte
	if err := decode(&message); err != nil {
		return nil, err
	}
	return &message, nil
}

type grpcSession struct{ *grpc.ClientConn }

func dialGRPC(_ context.Context, dir string) (Session, error) {
	c, err := grpc.NewClient("unix:"+socketIn(dir),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawGRPC{})))
	if err != nil {
		return nil, err
	}
	return grpcSession{c}, nil
}

func (s grpcSession) Caller() Call {
	var answer []byte
	return func(message []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		err := s.Invoke(ctx, "/"+service+"/"+method, &message, &answer)
		return answer, err
	}
}
