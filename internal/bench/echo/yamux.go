package echo

import (
	"context"
	"io"
	"net"

	"github.com/hashicorp/yamux"
)

// One stream of yamux carries the frames of the floor.

func serveYamux(dir string) (stop func(), err error) {
	return serveConns(dir, func(conn net.Conn) {
		session, err := yamux.Server(conn, quiet())
		if err != nil {
			conn.Close()
			return
		}
		defer session.Close()
		for {
			stream, err := session.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its client
				defer stream.Close()
				echoFrames(stream)
			}()
		}
	})
}

func dialYamux(ctx context.Context, dir string) (Session, error) {
	conn, err := dialUnix(ctx, dir)
	if err != nil {
		return nil, err
	}
	session, err := yamux.Client(conn, quiet())
	if err != nil {
		conn.Close()
		return nil, err
	}
	stream, err := session.Open()
	if err != nil {
		session.Close()
		return nil, err
	}
	return &frameSession{conn: stream, batch: 1, also: session.Close}, nil
}

// quiet is yamux's default configuration without its messages.
func quiet() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = io.Discard
	return c
}
