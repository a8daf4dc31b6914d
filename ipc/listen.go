package ipc

import (
	"os"
	"sync"
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
	// there is none. Listen takes it over. It goes on to listen, and its name stays, when the
	// listener refuses and when it is closed: clients wait for the next process that gets it.
	Inherited *os.File
	// OnRefuse runs once, at the first [Listener.Refuse], so that a record beside the endpoint
	// can tell that the server ends. nil is nothing.
	OnRefuse func()
}

// Listen makes the endpoint's name and takes connections at it. Only this user may connect, from
// the first moment on.
func Listen(ep Endpoint, o *ListenOptions) (*Listener, error) {
	if o == nil {
		o = new(ListenOptions)
	}
	l, err := open(ep, o)
	if err != nil {
		return nil, err
	}
	if o.OnRefuse != nil {
		l.onRefuse = sync.OnceFunc(o.OnRefuse)
	}
	return l, nil
}

func open(ep Endpoint, o *ListenOptions) (*Listener, error) {
	if ep == (Endpoint{}) {
		return nil, errNoEndpoint
	}
	if o.Inherited != nil {
		return adopt(ep, o.Inherited)
	}
	return listen(ep, o.Owned)
}

// Listener takes connections at an endpoint. It is safe for concurrent use.
type Listener struct {
	ep       Endpoint
	onRefuse func() // nil if nobody wants to know
	system
}

// Endpoint returns where the listener listens.
func (l *Listener) Endpoint() Endpoint { return l.ep }

// Listen returns the listener itself, which is so a [Source].
func (l *Listener) Listen() (*Listener, error) { return l, nil }

// Accept waits for the next client. The file is non-blocking and takes deadlines, and programs
// that are started do not get it. After [Listener.Refuse] Accept returns the clients that were
// waiting, and then, as after [Listener.Close], an [fs.ErrClosed]. After another error the
// listener is as good as before: what is short, such as descriptors, may come back.
func (l *Listener) Accept() (*os.File, error) {
	f, err := l.accept()
	if err != nil {
		return nil, listenError(l.ep, err)
	}
	return f, nil
}

// Refuse lets no further client connect. Those who wait already are still handed out by
// [Listener.Accept].
func (l *Listener) Refuse() error {
	if l.onRefuse != nil {
		l.onRefuse()
	}
	return l.refuse()
}

// Close ends the listener and every call of [Listener.Accept]. Its name goes too, unless it was
// inherited or has come to be somebody else's; that of a pipe goes with the last client.
func (l *Listener) Close() error { return l.end() }

func listenError(ep Endpoint, err error) error {
	return &os.PathError{Op: "ipc: listen", Path: ep.addr, Err: err}
}
