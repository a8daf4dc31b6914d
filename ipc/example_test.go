package ipc_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/larderbuild/larder/ipc"
)

// Server and client in one process; usually they are two.
func Example() {
	dir, _ := os.MkdirTemp("", "ipc")
	defer os.RemoveAll(dir)
	ep, err := ipc.NewEndpointIn(dir, "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	const opEcho = 1
	srv := ipc.NewServer(&ipc.ServerOptions{Version: "1.0"})
	srv.Handle(opEcho, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		return req.Reply(req.Payload), nil
	})
	served := make(chan error)
	go func() { served <- srv.Serve(context.Background(), l) }()

	ctx := context.Background()
	c, err := ipc.Dial(ctx, ep, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	answer, err := c.Call(ctx, opEcho, []byte("hello"))
	fmt.Printf("%s %v, from a server of version %s\n", answer, err, c.Info().Version)

	fmt.Println(c.Shutdown(ctx, "end of the example"), <-served)
	// Output:
	// hello <nil>, from a server of version 1.0
	// <nil> <nil>
}

// name is a value that encodes itself.
type name string

func (n name) AppendBinary(b []byte) ([]byte, error) { return append(b, n...), nil }
func (n *name) UnmarshalBinary(b []byte) error       { *n = name(b); return nil }

// A typed call goes through a codec on both sides.
func ExampleCallAs() {
	const opGreet = 1
	greet := func(_ context.Context, n name) (name, error) {
		if n == "" {
			return "", &ipc.RemoteError{Code: ipc.CodeHost, Message: "no name"}
		}
		return "hello, " + name(strings.ToUpper(string(n))), nil
	}
	srv := ipc.NewServer(nil)
	srv.Handle(opGreet, ipc.HandlerOf(ipc.Binary{}, greet))
	conn := serveExample(srv)
	defer conn.Close()

	ctx := context.Background()
	fmt.Println(ipc.CallAs[name](ctx, conn, ipc.Binary{}, opGreet, name("you")))
	_, err := ipc.CallAs[name](ctx, conn, ipc.Binary{}, opGreet, name(""))
	fmt.Println(err)
	// Output:
	// hello, YOU <nil>
	// ipc: wait operation 1: remote: no name (code 256)
}

// A stream carries bytes both ways, here a line for each line.
func ExampleStream() {
	const opQuote = 1
	srv := ipc.NewServer(nil)
	srv.HandleStream(opQuote, func(_ context.Context, req *ipc.Request, s *ipc.Stream) error {
		lines := bufio.NewScanner(s)
		for lines.Scan() {
			if _, err := fmt.Fprintf(s, "%s%s\n", req.Payload, lines.Text()); err != nil {
				return err
			}
		}
		return lines.Err()
	})
	ep, end := serveExampleAt(srv)
	defer end()

	ctx := context.Background() // ends the stream when it ends
	c, err := ipc.Dial(ctx, ep, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	s, err := c.Open(ctx, opQuote, []byte("> "))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Fprintln(s, "one")
	fmt.Fprintln(s, "two")
	s.CloseWrite()
	answer, err := io.ReadAll(s)
	fmt.Printf("%s%v\n", answer, err)
	// Output:
	// > one
	// > two
	// <nil>
}

// A program that makes one call and ends.
func ExampleConn() {
	srv := ipc.NewServer(nil)
	srv.Handle(1, func(_ context.Context, req *ipc.Request) (*ipc.Response, error) {
		return req.Reply(append(req.Buffer(), "done"...)), nil
	})
	conn := serveExample(srv)
	defer conn.Close()

	answer, err := conn.Call(context.Background(), 1, []byte("compile"))
	fmt.Println(string(answer), err)

	_, err = conn.Call(context.Background(), 2, nil)
	fmt.Println(err, ipc.OutcomeOf(err) == ipc.Answered)
	// Output:
	// done <nil>
	// ipc: wait operation 2: remote: no such operation (code 3) true
}
