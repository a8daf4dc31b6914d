package buildabi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ServeOptions are for [Serve].
type ServeOptions struct {
	// Connections bounds how many there are at a time; more wait to be accepted. The default is
	// 256.
	Connections int
	// Log takes what goes wrong with single connections. The default is silent.
	Log *slog.Logger
}

// Serve serves HTTP on a listener until ctx ends: with time limits for heads, bodies, responses and
// idle connections, a bound on connections, and a new try after an accept that fails. It takes
// the listener over. It returns once every handler has, those of upgraded connections included;
// their contexts end with ctx. Plain responses that take longer than a second then are cut. The
// error is the cause of ctx's end, or that of the listener; it is never nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler, o *ServeOptions) error {
	if o == nil {
		o = new(ServeOptions)
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	limit := o.Connections
	if limit <= 0 {
		limit = 256
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	handlers := &counted{Handler: h}
	server := newServer(ctx, handlers, log)
	accepting := &listener{Listener: l, ctx: ctx, free: make(chan struct{}, limit), log: log}
	accepting.close = sync.OnceValue(l.Close)
	stop := context.AfterFunc(ctx, func() { accepting.Close() })
	defer stop()
	err := server.Serve(accepting)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	end()
	shutDown(ctx, server)
	handlers.wait()
	return err
}

// newServer returns a server whose handlers' contexts end with ctx.
func newServer(ctx context.Context, h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// shutDown closes a server's connections, those with a response under way after a second.
func shutDown(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		server.Close()
	}
}

// counted is a handler whose calls can be waited for. The shutdown of an [http.Server] does not wait
// for those on connections that were upgraded.
type counted struct {
	http.Handler
	running sync.WaitGroup

	mu   sync.Mutex // no call may begin while the last ones are waited for
	over bool
}

// ServeHTTP does nothing for what comes after wait.
func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.running.Add(1)
	c.mu.Unlock()
	defer c.running.Done()
	c.Handler.ServeHTTP(w, r)
}

func (c *counted) wait() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.running.Wait()
}

// listener bounds the connections of another one, and survives its errors.
type listener struct {
	net.Listener
	ctx  context.Context // ends accepting
	free chan struct{}   // has an element for each connection
	log  *slog.Logger

	close func() error // once, though the server and the end of ctx both ask for it
}

// Close ends accepting.
func (l *listener) Close() error { return l.close() }

const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
	// sendBuffer is what a system keeps for a client. Linux takes megabytes otherwise, and has a writer wait for a third of
	// them: a client that is slow but steady would seem to take nothing.
	sendBuffer = 64 << 10
)

// Accept waits for room and for a connection. An accept fails when the process has too many files
// open, or for a connection that is gone again: both pass.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		c, err := l.Listener.Accept()
		if err == nil {
			if b, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
				b.SetWriteBuffer(sendBuffer) // as good as it goes
			}
			return &bounded{Conn: c, free: sync.OnceFunc(func() { <-l.free })}, nil
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, net.ErrClosed
		}
		l.log.Warn("connection not accepted", "error", err)
		select {
		case <-time.After(pause):
		case <-l.ctx.Done():
			return nil, net.ErrClosed
		}
	}
}

// bounded is a connection that makes room when it is closed.
type bounded struct {
	net.Conn
	free func()
}

func (c *bounded) Close() error {
	defer c.free()
	return c.Conn.Close()
}
