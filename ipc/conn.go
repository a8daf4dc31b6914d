package ipc

import (
	"context"
	"os"
	"time"
)

// Conn calls a server one call at a time: the choice for a process that makes a few calls and
// ends. Calls of several goroutines follow one another. It does not connect again, and has no streams. A request that
// ends for lack of time, with more than 4 MiB of it not yet sent, may end the connection.
//
// On Linux one call of this process at a time, to another process, may keep its thread for the
// first milliseconds of the wait for its answer; then it waits as other goroutines do. To cancel
// that call, or to close, takes until those are over. The socket becomes a blocking one for this,
// also for others that share the open file.
type Conn struct{ c *Client }

// DialConn connects to the endpoint's server as [Dial] does.
func DialConn(ctx context.Context, ep Endpoint, o *ClientOptions) (*Conn, error) {
	c, err := dial(ctx, ep, roleLockstep, o)
	if err != nil {
		return nil, err
	}
	return &Conn{c}, nil
}

// NewConn makes a Conn of an open connection to a server, as [NewClient] does.
func NewConn(f *os.File, o *ClientOptions) (*Conn, error) {
	c, err := newClient(f, roleLockstep, o)
	if err != nil {
		return nil, err
	}
	return &Conn{c}, nil
}

// Call is [Client.Call].
func (c *Conn) Call(ctx context.Context, op uint16, payload []byte) ([]byte, error) {
	return c.c.Call(ctx, op, payload)
}

// CallAppend is [Client.CallAppend].
func (c *Conn) CallAppend(
	dst []byte, op uint16, payload []byte, timeout time.Duration,
) ([]byte, error) {
	return c.c.CallAppend(dst, op, payload, timeout)
}

// CallFile is [Client.CallFile].
func (c *Conn) CallFile(ctx context.Context, op uint16, payload []byte) (*File, error) {
	return c.c.CallFile(ctx, op, payload)
}

// Ping is [Client.Ping].
func (c *Conn) Ping(ctx context.Context) error { return c.c.Ping(ctx) }

// Status is [Client.Status].
func (c *Conn) Status(ctx context.Context) (Status, error) { return c.c.Status(ctx) }

// Shutdown is [Client.Shutdown].
func (c *Conn) Shutdown(ctx context.Context, reason string) error {
	return c.c.Shutdown(ctx, reason)
}

// Info is [Client.Info].
func (c *Conn) Info() ServerInfo { return c.c.Info() }

// Peer is [Client.Peer].
func (c *Conn) Peer() Peer { return c.c.Peer() }

// Close is [Client.Close].
func (c *Conn) Close() error { return c.c.Close() }
