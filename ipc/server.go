package ipc

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Handler answers one call. The request, ctx and all that they give are valid until it returns;
// ctx ends when the caller gives up, dies or has no time left. A nil response is an empty answer.
// An error is answered as a [*RemoteError]: the one that it is or wraps, unless that is a refusal
// as by another server. Any other error is answered with its text and [CodeFailed], or
// [CodeDeadline] or [CodeCancelled] if it is an error of a context.
type Handler func(ctx context.Context, req *Request) (*Response, error)

// StreamHandler answers a call that opened a stream, which ends when it returns.
type StreamHandler func(ctx context.Context, req *Request, s *Stream) error

// operation is how calls are handled.
type operation struct {
	handler Handler
	stream  StreamHandler
	fast    bool
}

// ServerOptions are for [NewServer]; nil and the zero value are the default.
type ServerOptions struct {
	// Version is the host's, told to every client; of a longer one its first 1 KiB. Package
	// lifecycle decides by it whether a server is to be replaced.
	Version string
	// Instance tells this server from others at the same endpoint: 32 hexadecimal digits in
	// lower case. Anything else is replaced by random ones.
	Instance string
	// Starting makes the server refuse calls as busy until [Server.Ready].
	Starting bool
	// IdleAfter drains the server when it had no call, stream or lease for so long since it was ready. 0 is never.
	IdleAfter time.Duration
	// DrainTimeout bounds the wait for calls that run, and before it that for descriptors, if
	// there are none for clients that wait to be taken. 0 is 30 s.
	DrainTimeout time.Duration
	// Limits are on by default.
	Limits Limits
	// Allow says who may call; nil is [Peer.SameUser]. It is called before a byte is read.
	Allow func(Peer) bool
	// Events gets what no error tells; nil drops it. It must not block.
	Events func(Event)
}

// Server answers calls. All its methods are safe for concurrent use, but operations are added
// before the first connection is served.
type Server struct {
	o       ServerOptions
	ops     map[uint16]operation
	info    ServerInfo // but for State and Reason
	started time.Time

	held     atomic.Int64 // calls whose answer is not yet written
	running  atomic.Int64
	streams  atomic.Int64
	leases   atomic.Int64
	calls    atomic.Int64
	failed   atomic.Int64
	refused  atomic.Int64
	panics   atomic.Int64
	memory   atomic.Int64
	touched  atomic.Int64 // when a call or a lease ended, in nanoseconds since started
	latency  [len(Histogram{})]atomic.Int64
	starting atomic.Bool
	draining atomic.Bool

	workers workers
	calm    chan struct{} // gets a token when no call is held during a drain
	drained chan struct{} // closed when a drain has begun: no session lets calls in any more
	done    chan struct{} // closed when the last connection of a server that ends is gone
	ended   chan struct{} // closed when the last handler is, too

	mu        sync.Mutex
	state     State
	reason    string
	sessions  map[*session]struct{}
	listeners []*Listener
	serving   sync.WaitGroup // sessions
	closed    bool
}

// NewServer returns a server without operations. It must be ended, by a [Server.Serve] that
// returns or by [Server.Close].
func NewServer(o *ServerOptions) *Server {
	s := &Server{state: Ready, started: time.Now(),
		ops: map[uint16]operation{}, sessions: map[*session]struct{}{},
		workers: newWorkers(), calm: make(chan struct{}, 1),
		drained: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{})}
	if o != nil {
		s.o = *o
	}
	s.o.Limits.setDefaults()
	setDefault(&s.o.DrainTimeout, 30*time.Second)
	if s.o.Starting {
		s.state = Starting
		s.starting.Store(true)
	}
	if hex([]byte(unhex(s.o.Instance))) != s.o.Instance || len(s.o.Instance) != 32 {
		s.o.Instance = hex(append64(append64(nil, rand.Uint64()), rand.Uint64()))
	}
	s.info = ServerInfo{Version: s.o.Version, Instance: s.o.Instance, Protocol: versionHighest}
	s.info.Process, _ = ProcessOf(os.Getpid()) // without a start time where the system tells none
	s.info.Process.PID = os.Getpid()
	return s
}

// Handle lets h answer calls of op, in the place of an earlier handler. Operation 0 belongs to the library: no call of it
// reaches one. Middleware is a function from handler to handler.
func (s *Server) Handle(op uint16, h Handler) { s.ops[op] = operation{handler: h} }

// HandleFast is Handle for an h that never waits: it runs on the goroutine that reads the
// connection, and holds up all its other calls. That saves a switch between goroutines.
func (s *Server) HandleFast(op uint16, h Handler) { s.ops[op] = operation{handler: h, fast: true} }

// HandleStream lets h answer calls of op that open a stream.
func (s *Server) HandleStream(op uint16, h StreamHandler) { s.ops[op] = operation{stream: h} }

// Ready ends the state [Starting].
func (s *Server) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Starting {
		s.state = Ready
		s.touch() // nobody could use it until now
	}
	s.starting.Store(false)
}

// Lease keeps the server from being idle until release is called, once or more often.
func (s *Server) Lease() (release func()) {
	s.leases.Add(1)
	return sync.OnceFunc(func() {
		s.touch()
		s.leases.Add(-1)
	})
}

func (s *Server) touch() { s.touched.Store(int64(time.Since(s.started))) }

// letGo counts a call no more. The last one touches the server before: all of them would cost each
// other time.
func (s *Server) letGo() {
	for {
		n := s.held.Load()
		if n == 1 {
			s.touch()
		}
		if s.held.CompareAndSwap(n, n-1) {
			if n == 1 && s.draining.Load() {
				s.tellCalm()
			}
			return
		}
	}
}

// Info says who this server is.
func (s *Server) Info() ServerInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.info
	info.State, info.Reason = s.state, s.reason
	return info
}

// Status tells what the server does.
func (s *Server) Status() Status {
	st := Status{ServerInfo: s.Info(), Uptime: time.Since(s.started),
		Running: int(s.running.Load()), Streams: int(s.streams.Load()), Leases: int(s.leases.Load()),
		Calls: s.calls.Load(), Failed: s.failed.Load(), Refused: s.refused.Load(), Panics: s.panics.Load()}
	for i := range st.Latency {
		st.Latency[i] = s.latency[i].Load()
	}
	s.mu.Lock()
	st.Connections = len(s.sessions)
	s.mu.Unlock()
	return st
}

// event reports e with what is common to all events of the server.
func (s *Server) event(e Event) {
	if s.o.Events == nil {
		return
	}
	e.Time, e.PID, e.Version = time.Now(), s.info.Process.PID, s.o.Version
	e.Server, e.Instance = e.PID, s.info.Instance
	s.o.Events(e)
}
