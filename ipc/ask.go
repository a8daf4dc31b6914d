package ipc

import (
	"context"
	"errors"
	"time"
)

// probeTimeout bounds a control operation whose context has no deadline.
const probeTimeout = 2 * time.Second

// Ping asks the server for a sign of life, which it gives whatever its limits say. Without a
// deadline of ctx it waits 2 s, as [Client.Status] and [Client.Shutdown] do.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.ask(ctx, controlPing, nil)
	return err
}

// Status asks the server what it does. A server that is starting, busy or draining answers too.
func (c *Client) Status(ctx context.Context) (Status, error) {
	b, err := c.ask(ctx, controlStatus, nil)
	if err != nil {
		return Status{}, err
	}
	s, err := parseStatus(b)
	if err != nil {
		return Status{}, &CallError{0, PhaseRead, Answered, err}
	}
	s.Protocol = c.Info().Protocol
	return s, nil
}

// Shutdown asks the server to drain and returns when it has begun to.
func (c *Client) Shutdown(ctx context.Context, reason string) error {
	_, err := c.ask(ctx, controlShutdown, appendField(nil, tagReason, reason))
	return err
}

// ask makes a control call, which has a slot of its own. A connection that takes no other calls
// will do.
func (c *Client) ask(ctx context.Context, what byte, fields []byte) ([]byte, error) {
	d := deadlineOf(ctx, probeTimeout)
	if err := d.late(); err != nil {
		return nil, &CallError{0, PhaseQueue, NotProcessed, err}
	}
	out := &outgoing{payload: append([]byte{what}, fields...)}
	for {
		m := c.current.Load()
		if m.failed() {
			var err error
			if m, err = c.connected(&d); err != nil {
				return nil, &CallError{0, PhaseConnect, NotProcessed, err}
			}
		}
		b, err := m.ask(out, &d)
		if !errors.Is(err, ErrClosed) || c.life.Err() != nil {
			return b, err
		} // else a call has connected anew meanwhile, and left m behind
	}
}

// ask makes a control call.
func (m *mux) ask(out *outgoing, d *deadline) ([]byte, error) {
	if err := m.acquireControl(d); err != nil {
		return nil, &CallError{0, PhaseQueue, NotProcessed, err}
	}
	defer func() { <-m.control }()
	k := &m.controlled
	m.mu.Lock()
	err := m.enter(k, out)
	m.mu.Unlock()
	if err != nil {
		return nil, &CallError{0, PhaseQueue, NotProcessed, err}
	}
	b, _, err := m.complete(k, d)
	return b, err
}

// acquireControl waits for the slot of control operations.
func (m *mux) acquireControl(d *deadline) error {
	timeout, stop := d.timer()
	defer stop()
	select {
	case m.control <- struct{}{}:
		return nil
	case <-m.gone:
		return m.reason()
	case <-timeout:
		return ErrTimeout
	case <-d.done():
		return d.err()
	}
}
