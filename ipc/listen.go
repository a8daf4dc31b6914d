package ipc

import (
	"os"
)

// Source is what [Server.Serve] serves: a [*Listener], or a claim that begins to listen when the
// server is there.
type Source interface {
	// Listen begins to listen. A server calls it once.
	Listen() (*Listener, error)
	// Close ends the listener and all that belongs to it. A server calls it when it is drained.
	Close() error
}

// ListenOptions are for [Listen]; nil and the zero value are the default.
type ListenOptions struct {
	// Owned says that the caller holds the endpoint's claim, so that what lies at its name
	// is left over and gives way. Otherwise a name that is taken is an [fs.ErrExist], even if
	// its server is dead: two processes that both judge it dead would remove each other's
	// socket.
	Owned bool
	// Inherited is a socket that listens already, such as one of [Activated]; nil means that
	// there is none. Listen takes it over, and its name stays when the listener is closed.
	Inherited *os.File
}

// Listen makes the endpoint's name and takes connections at it. Only this user may connect, from
// the first moment on.
func Listen(ep Endpoint, o *ListenOptions) (*Listener, error) {
	if o == nil {
		o = new(ListenOptions)
	}
	if o.Inherited != nil {
		return adopt(ep, o.Inherited)
	}
	return listen(ep, o.Owned)
}

// Endpoint returns where the listener listens.
func (l *Listener) Endpoint() Endpoint { return l.ep }

// Listen returns the listener itself, which is so a [Source].
func (l *Listener) Listen() (*Listener, error) { return l, nil }

func listenError(ep Endpoint, err error) error {
	return &os.PathError{Op: "ipc: listen", Path: ep.addr, Err: err}
}
