// Package echo offers one service over several transports: every message comes back as it was sent.
// What differs between two kinds is so the price of the transport alone. Server and client of a
// kind are meant for two processes.
//
// Where a transport takes a deadline each call has one of 30 s, and where it takes a codec it gets
// one that passes bytes on.
package echo

import (
	"context"
	"path/filepath"
	"time"
)

// Kind is a transport.
type Kind struct {
	Name string
	// Batch is how many messages a call sends and gets; 0 is 1.
	Batch int
	// Serve listens in dir, which it has for itself, and answers until stop is called.
	Serve func(dir string) (stop func(), err error)
	// Dialer returns what connects to the server in dir, so that finding the way is not a part of each
	// connection.
	Dialer dialer
}

type dialer = func(dir string) (Dial, error)

// Dial makes one connection.
type Dial func(ctx context.Context) (Session, error)

// Session is one connection. Its callers may call at the same time where the transport can.
type Session interface {
	Caller() Call // for one goroutine
	Close() error
}

// Call sends a message and returns what came back, valid until the next call.
type Call func(message []byte) ([]byte, error)

// timeout is the deadline of a call.
const timeout = 30 * time.Second

// Names of the kinds.
const (
	Lockstep    = "ipc.Conn"
	Multiplexed = "ipc.Client"
	Fast        = "ipc.Conn, fast operation"
	Socket      = "socket"
	Pipelined   = "socket, pipelined"
	NetRPC      = "net/rpc"
	TTRPC       = "ttrpc"
	GRPC        = "grpc-go"
	DRPC        = "drpc"
	HTTP        = "HTTP/1.1"
	Yamux       = "yamux"
)

// Kinds returns every kind.
func Kinds() []Kind {
	return []Kind{
		{Name: Lockstep, Serve: serveLarder, Dialer: dialerLarder(dialConn(opEcho))},
		{Name: Multiplexed, Serve: serveLarder, Dialer: dialerLarder(dialClient)},
		{Name: Fast, Serve: serveLarder, Dialer: dialerLarder(dialConn(opFast))},
		{Name: Socket, Serve: serveSocket, Dialer: at(dialSocket)},
		{Name: Pipelined, Batch: pipeline, Serve: serveSocket, Dialer: at(dialPipelined)},
		{Name: NetRPC, Serve: serveNetRPC, Dialer: at(dialNetRPC)},
		{Name: TTRPC, Serve: serveTTRPC, Dialer: at(dialTTRPC)},
		{Name: GRPC, Serve: serveGRPC, Dialer: at(dialGRPC)},
		{Name: DRPC, Serve: serveDRPC, Dialer: at(dialDRPC)},
		{Name: HTTP, Serve: serveHTTP, Dialer: at(dialHTTP)},
		{Name: Yamux, Serve: serveYamux, Dialer: at(dialYamux)},
	}
}

// Named returns the kind with a name.
func Named(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// at is the dialer of a kind that needs nothing but the folder.
func at(dial func(ctx context.Context, dir string) (Session, error)) dialer {
	return func(dir string) (Dial, error) {
		return func(ctx context.Context) (Session, error) { return dial(ctx, dir) }, nil
	}
}

func socketIn(dir string) string { return filepath.Join(dir, "s") }
