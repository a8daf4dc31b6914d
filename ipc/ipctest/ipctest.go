// Package ipctest helps to test programs that use package ipc: names for endpoints, servers that
// end with their test, and connected pairs.
package ipctest

import (
	"context"
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc"
)

// Pair returns the two ends of a connection inside of this process, for [ipc.NewClient] or
// [ipc.NewConn] and for [ipc.Server.ServeConn]. Whoever gets an end closes it.
func Pair(tb testing.TB) (client, server *os.File) {
	tb.Helper()
	client, server, err := pair(tb)
	if err != nil {
		tb.Fatal(err)
	}
	return client, server
}

// Client returns a client of s over a connection of its own. At the end of the test the client is
// closed, and the connection's end on the server waited for.
func Client(tb testing.TB, s *ipc.Server, o *ipc.ClientOptions) *ipc.Client {
	tb.Helper()
	c, err := ipc.NewClient(serve(tb, s), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// Conn is [Client] for one call at a time.
func Conn(tb testing.TB, s *ipc.Server, o *ipc.ClientOptions) *ipc.Conn {
	tb.Helper()
	c, err := ipc.NewConn(serve(tb, s), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// serve lets s serve one end of a pair and returns the other.
func serve(tb testing.TB, s *ipc.Server) *os.File {
	tb.Helper()
	client, server := Pair(tb)
	ended := make(chan struct{})
	go func() { // ends with the connection; the test's end waits for it
		defer close(ended)
		s.ServeConn(server)
	}()
	tb.Cleanup(func() { <-ended })
	return client
}

// Endpoint returns an endpoint of which no other test knows. What belongs to it is
// removed at the end of the test.
func Endpoint(tb testing.TB) ipc.Endpoint {
	tb.Helper()
	ep, err := endpoint(tb)
	if err != nil {
		tb.Fatal(err)
	}
	return ep
}

// Server lets s serve an endpoint of its own until the end of the test.
func Server(tb testing.TB, s *ipc.Server) ipc.Endpoint {
	tb.Helper()
	ep := Endpoint(tb)
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }() // ended and waited for below
	tb.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return ep
}
