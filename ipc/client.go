package ipc

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/larderbuild/larder/ipc/internal/errline"
)

// Defaults of clients.
const (
	// DefaultTimeout bounds a call whose context has no deadline.
	DefaultTimeout = 5 * time.Minute
	defaultPing    = 5 * time.Second
	reconnects     = 64 // attempts of one call that no handler saw
)

// ClientOptions are for [Dial] and [DialConn]; nil and the zero value are the default.
type ClientOptions struct {
	// Timeout bounds a call whose context has no deadline; 0 is [DefaultTimeout]. A stream
	// has no time limit but its context's.
	Timeout time.Duration
	// PingEvery is how long a server may be silent while a call waits before it is pinged; it
	// is wedged when as much time again has passed. 0 is 5 s, less than 0 never pings.
	PingEvery time.Duration
	// MaxMessage bounds an answer in bytes; 0 is 64 MiB.
	MaxMessage int
	// Allow says whether the server may be spoken to; nil is [Peer.SameUser]. It is called
	// before the first byte is sent.
	Allow func(Peer) bool
	// Redial connects again when the connection is gone or its server drains, such as by
	// starting the server again; nil dials the endpoint.
	Redial func(ctx context.Context) (*os.File, error)
}

func (o *ClientOptions) withDefaults() ClientOptions {
	var c ClientOptions
	if o != nil {
		c = *o
	}
	setDefault(&c.Timeout, DefaultTimeout)
	if c.PingEvery == 0 { // less is never
		c.PingEvery = defaultPing
	}
	setDefault(&c.MaxMessage, defaultMaxMessage)
	return c
}

// connect makes a connection of f, which it owns: a wrong peer is told nothing.
func (o *ClientOptions) connect(f *os.File, r role) (*mux, error) {
	peer, err := checkedPeer(f, o.Allow)
	if err == nil {
		var m *mux
		if m, err = newMux(f, r, o); err == nil {
			m.peer = peer
			return m, nil
		}
	}
	f.Close()
	return nil, err
}

// checkedPeer returns who is at the other end if it may be spoken to.
func checkedPeer(f *os.File, allow func(Peer) bool) (Peer, error) {
	peer, err := peerOf(f)
	switch {
	case err != nil:
		return peer, err
	case allow == nil && !peer.SameUser, allow != nil && !allow(peer):
		return peer, ErrRefused
	}
	return peer, nil
}

// Client calls a server, any number of calls at a time on one connection. It is safe for
// concurrent use. It has no goroutine of its own: one of the callers reads for all. When
// the connection is gone or the server drains, the next call connects again, and a call that no
// handler has seen is made again.
type Client struct {
	o       ClientOptions
	role    role
	dial    func(ctx context.Context) (*os.File, error) // nil: never again
	current atomic.Pointer[mux]
	gate    chan struct{} // holds a token: the right to change current and old
	old     []*mux        // connections that are not current and still have calls

	life context.Context // ended by Close
	end  context.CancelFunc
}

// Dial connects to the endpoint's server. The error is an [ErrNotRunning] if there is none and
// nobody starts one, and an [ErrRefused] if it may not be spoken to; ctx bounds the attempt.
func Dial(ctx context.Context, ep Endpoint, o *ClientOptions) (*Client, error) {
	return dial(ctx, ep, roleMultiplexed, o)
}

func dial(ctx context.Context, ep Endpoint, r role, o *ClientOptions) (*Client, error) {
	f, err := ep.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c, err := newClient(f, r, o)
	if err == nil && c.dial == nil && r == roleMultiplexed {
		c.dial = ep.Dial
	}
	return c, err
}

// NewClient makes a client of an open connection to a server, which it owns from now on: a
// non-blocking socket or an overlapped pipe; a blocking socket is an [os.ErrNoDeadline] on Linux.
// Without ClientOptions.Redial it cannot connect again.
func NewClient(f *os.File, o *ClientOptions) (*Client, error) {
	return newClient(f, roleMultiplexed, o)
}

func newClient(f *os.File, r role, o *ClientOptions) (*Client, error) {
	c := &Client{o: o.withDefaults(), role: r, gate: make(chan struct{}, 1)}
	if r == roleMultiplexed {
		c.dial = c.o.Redial
	}
	m, err := c.o.connect(f, r)
	if err != nil {
		return nil, err
	}
	c.current.Store(m)
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

// connected returns a connection that takes calls.
func (c *Client) connected(d *deadline) (*mux, error) {
	m := c.current.Load()
	if m.usable() {
		return m, nil
	}
	if err := c.enter(d); err != nil {
		return nil, err
	}
	defer func() {
		d.now = now()
		<-c.gate
	}()
	m = c.current.Load()
	switch {
	case c.life.Err() != nil:
		return nil, ErrClosed
	case m.usable():
		return m, nil
	case c.dial == nil:
		return nil, m.reason()
	}
	m.retire()
	next, err := c.redial(d)
	if err != nil {
		return nil, err
	}
	c.old = append(slices.DeleteFunc(c.old, (*mux).failed), m)
	c.current.Store(next)
	return next, nil
}

// enter waits for the gate.
func (c *Client) enter(d *deadline) error {
	ctx, cancel := c.bound(d)
	defer cancel()
	select {
	case c.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.ended(d)
	}
}

// redial connects again, also when the server ends before it could be asked who it is.
func (c *Client) redial(d *deadline) (*mux, error) {
	ctx, cancel := c.bound(d)
	defer cancel()
	for {
		f, err := c.dial(ctx)
		if ctx.Err() != nil && err != nil {
			return nil, errline.Join(c.ended(d), err)
		}
		if err != nil {
			return nil, err
		}
		m, err := c.o.connect(f, c.role)
		if !errors.Is(err, os.ErrProcessDone) {
			return m, err
		}
	}
}

// bound returns a context that ends with d, or when the client is closed.
func (c *Client) bound(d *deadline) (context.Context, context.CancelFunc) {
	ctx := c.life
	if d.ctx != nil {
		ctx = d.ctx
	}
	var cancel context.CancelFunc
	if d.at.IsZero() {
		ctx, cancel = context.WithCancel(ctx)
	} else {
		ctx, cancel = context.WithDeadline(ctx, d.at)
	}
	stop := context.AfterFunc(c.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// ended says why a bound context has ended.
func (c *Client) ended(d *deadline) error {
	if c.life.Err() != nil {
		return ErrClosed
	}
	if err := d.err(); err != nil {
		return err
	}
	return ErrTimeout
}

// do makes a call, and makes it again while that is safe and can help.
func (c *Client) do(dst []byte, out *outgoing, d *deadline) ([]byte, *os.File, error) {
	for try := 0; ; try++ {
		m, err := c.connected(d)
		if err != nil {
			return nil, nil, &CallError{out.op, PhaseConnect, NotProcessed, err}
		}
		answer, file, err := m.call(dst, out, d)
		if err == nil || !c.repeat(m, d, try, err) {
			return answer, file, err
		}
	}
}

// repeat reports whether a call that failed is to be made again, and waits a little if this was not
// the first attempt.
func (c *Client) repeat(m *mux, d *deadline, try int, err error) bool {
	if try >= reconnects || !c.again(m, err) || try > 0 && !c.pause(d, try) {
		return false
	}
	d.now = now() // it may have waited for long
	return true
}

// again reports whether a call that failed should be made on a new connection.
func (c *Client) again(m *mux, err error) bool {
	if OutcomeOf(err) != NotProcessed || c.dial == nil || gaveUp(errors.Unwrap(err)) {
		return false
	}
	if errors.Is(err, ErrDraining) {
		m.expire()
		return true
	}
	return !m.usable() && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrRefused) &&
		!errors.Is(err, ErrBusy) && !errors.Is(err, ErrWedged) && c.life.Err() == nil
}

// pause waits a little before the next attempt.
func (c *Client) pause(d *deadline, try int) bool {
	ctx, cancel := c.bound(d)
	defer cancel()
	return sleep(min(connectPauseMin<<min(try, 10), connectPauseMax), ctx.Done())
}

// Call calls op, which is not 0, and returns the answer. A deadline of ctx travels with the request
// and bounds the handler; without one it is ClientOptions.Timeout. The error is a [*CallError].
func (c *Client) Call(ctx context.Context, op uint16, payload []byte) ([]byte, error) {
	d := deadlineOf(ctx, c.o.Timeout)
	answer, _, err := c.do(nil, &outgoing{op: op, payload: payload}, &d)
	return answer, err
}

// CallAppend calls op and appends the answer to dst without allocating memory as long as
// that fits. A timeout of 0 is ClientOptions.Timeout. On an error the free space of dst may have
// changed; the result is nil. The payload may lie in that space. The error is a [*CallError].
func (c *Client) CallAppend(
	dst []byte, op uint16, payload []byte, timeout time.Duration,
) ([]byte, error) {
	if timeout <= 0 {
		timeout = c.o.Timeout
	}
	d := deadline{now: now()}
	d.at = d.now.Add(timeout)
	answer, _, err := c.do(dst, &outgoing{op: op, payload: payload}, &d)
	return answer, err
}

// Info says who served the last answer on the current connection; it is zero before the first.
func (c *Client) Info() ServerInfo {
	m := c.current.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info
}

// Peer returns the process at the other end of the current connection.
func (c *Client) Peer() Peer { return c.current.Load().peer }

// Close ends the connection. Calls that wait fail with [ErrClosed], as all later ones do.
func (c *Client) Close() error {
	c.end()
	c.current.Load().fail(ErrClosed) // whoever holds the gate may wait for an answer
	c.gate <- struct{}{}
	defer func() { <-c.gate }()
	for _, m := range append(c.old, c.current.Load()) {
		m.close()
	}
	return nil
}
