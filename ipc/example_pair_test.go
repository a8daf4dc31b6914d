package ipc_test

import (
	"context"
	"os"

	"github.com/larderbuild/larder/ipc"
)

// serveExample serves at an endpoint of its own; closing the connection ends all.
func serveExample(srv *ipc.Server) *exampleConn {
	ep, end := serveExampleAt(srv)
	conn, err := ipc.DialConn(context.Background(), ep, nil)
	if err != nil {
		panic(err)
	}
	return &exampleConn{conn, end}
}

func serveExampleAt(srv *ipc.Server) (ep ipc.Endpoint, end func()) {
	dir, err := os.MkdirTemp("", "ipc")
	if err != nil {
		panic(err)
	}
	ep, err = ipc.NewEndpointIn(dir, "example")
	if err != nil {
		panic(err)
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		panic(err)
	}
	served := make(chan error)
	go func() { served <- srv.Serve(context.Background(), l) }() // ended by Close, which waits
	return ep, func() {
		srv.Close()
		<-served
		os.RemoveAll(dir)
	}
}

type exampleConn struct {
	*ipc.Conn
	end func()
}

func (c *exampleConn) Close() error {
	defer c.end()
	return c.Conn.Close()
}
