package ipc

import (
	"context"
	"io"
	"os"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/ipc"
)

const jobStall = "ipc-stall"

// Scopes of the endpoints of a process that does not do what its clients wait for.
const (
	scopeFull   = "full"   // has no room for one more client
	scopeSilent = "silent" // lets clients connect and reads nothing
	scopeBusy   = "busy"   // has a handler that does not return
	scopeHalf   = "half"   // sends half of an answer
)

const (
	largeRequest = 8 << 20 // more than the system holds for a reader that does not come
	largeAnswer  = 1 << 20
	halfAnswer   = 100 << 10
)

type stalling struct{ Dir string }

func (s stalling) endpoint(scope string) (ipc.Endpoint, error) {
	return ipc.NewEndpointIn(s.Dir, scope)
}

// stall is there until it is closed. All that it starts ends with its process.
func stall(ctx context.Context, p stalling) (any, error) {
	for scope, begin := range map[string]func(ipc.Endpoint) error{
		scopeFull:   fill,
		scopeSilent: func(ep ipc.Endpoint) error { _, err := ipc.Listen(ep, nil); return err },
		scopeBusy:   serveStalling,
		scopeHalf:   p.relay,
	} {
		ep, err := p.endpoint(scope)
		if err != nil {
			return nil, err
		}
		if err := begin(ep); err != nil {
			return nil, err
		}
	}
	return nil, child.Answer(ctx, func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, nil
	})
}

// serveStalling serves an operation that never returns and one with a large answer.
func serveStalling(ep ipc.Endpoint) error {
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		return err
	}
	s := ipc.NewServer(nil)
	s.Handle(opSmall, func(ctx context.Context, r *ipc.Request) (*ipc.Response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	s.Handle(opInBand, func(context.Context, *ipc.Request) (*ipc.Response, error) {
		return &ipc.Response{Payload: make([]byte, largeAnswer)}, nil
	})
	go s.Serve(context.Background(), l)
	return nil
}

// relay stands between clients and the busy server, and stops in the middle of a large answer.
func (p stalling) relay(ep ipc.Endpoint) error {
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		return err
	}
	server, err := p.endpoint(scopeBusy)
	if err != nil {
		return err
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go relayHalf(client, server)
		}
	}()
	return nil
}

func relayHalf(client *os.File, ep ipc.Endpoint) {
	defer client.Close()
	server, err := ep.Dial(context.Background())
	if err != nil {
		return
	}
	defer server.Close()
	go io.CopyN(client, server, halfAnswer)
	io.Copy(server, client)
}
