package ipc

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
	endGrace       = time.Second // for handlers after their context has ended
	flushGrace     = time.Second // for clients to take what was written to them
)

// Serve takes connections from src until the server is drained, by [Server.Drain], a client's
// request, lack of use, the end of ctx or that of src. It returns nil when every call was finished,
// and an [ErrTimeout] when some were still running after ServerOptions.DrainTimeout. It closes src
// last.
func (s *Server) Serve(ctx context.Context, src Source) (err error) {
	l, err := src.Listen()
	if err != nil {
		return errors.Join(err, src.Close())
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if !s.addListener(l) {
		return ErrClosed
	}
	stop := context.AfterFunc(ctx, func() { s.beginDrain(EventDiedCancelled, "") })
	defer stop()
	s.touch()
	var all sync.WaitGroup
	all.Go(s.watchIdle) // ends with the drain
	s.accept(l, &all)
	s.beginDrain(EventDraining, "its listener was closed") // unless a drain ended it
	err = s.finish()
	all.Wait()
	return err
}

// addListener makes drain and close end l.
func (s *Server) addListener(l *Listener) bool {
	s.mu.Lock()
	closed, late := s.closed, s.state == Draining
	if !closed {
		s.listeners = append(s.listeners, l)
	}
	s.mu.Unlock()
	if late && !closed {
		l.endSoon() // not with the lock: the host hears of it
	}
	return !closed
}

// accept serves connections until the listener refuses new ones and those that wait are taken, or
// cannot be for as long as a drain may take.
func (s *Server) accept(l *Listener, all *sync.WaitGroup) {
	pause := time.Duration(0)
	var late time.Time // zero before a drain
	for {
		f, err := l.Accept()
		switch {
		case err == nil:
			if pause > 0 {
				pause = 0
				s.event(Event{Kind: EventAcceptAgain})
			}
			all.Go(func() { s.ServeConn(f) }) // ends with the connection
		case errors.Is(err, fs.ErrClosed):
			return
		default:
			if pause == 0 {
				s.event(Event{Kind: EventAccept, Err: err})
			}
			if s.draining.Load() && late.IsZero() {
				late = time.Now().Add(s.o.DrainTimeout)
			}
			if !late.IsZero() && time.Now().After(late) {
				return // clients that wait see the end of their connection
			}
			pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
			sleep(pause, s.done)
		}
	}
}

// Drain ends the server well: connections are refused, and so are calls that arrive from now on,
// as not processed; those that run are finished. It returns when Serve is about to, or when
// ctx ends, while the drain goes on. Without a Serve that runs it is [Server.Close] after
// the calls.
func (s *Server) Drain(ctx context.Context, reason string) error {
	s.beginDrain(EventDraining, reason)
	s.mu.Lock()
	serves := len(s.listeners) > 0
	s.mu.Unlock()
	if !serves {
		ended := make(chan error, 1)
		go func() { ended <- s.finish() }() // ends with the drain, also when nobody waits for it
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// beginDrain starts a drain; the first one counts.
func (s *Server) beginDrain(kind, reason string) {
	s.mu.Lock()
	if s.state == Draining || s.closed {
		s.mu.Unlock()
		return
	}
	s.state, s.reason = Draining, reason
	s.draining.Store(true)
	refusal := s.drainRefusal()
	listeners, sessions := s.listeners, s.list()
	s.mu.Unlock()
	s.event(Event{Kind: kind, Reason: reason, Took: time.Since(s.started), Count: s.calls.Load()})
	for _, ses := range sessions {
		ses.refuse(refusal)
	}
	close(s.drained)
	for _, l := range listeners {
		l.endSoon()
	}
}

// endSoon lets no further client connect.
func (l *Listener) endSoon() {
	if err := l.Refuse(); err != nil {
		l.Close() // clients that wait see the end of their connection
	}
}

func (s *Server) drainRefusal() *RemoteError { return &RemoteError{codeDraining, s.reason} }

// list returns the sessions. The caller holds mu.
func (s *Server) list() []*session { return slices.Collect(maps.Keys(s.sessions)) }

func (s *Server) tellCalm() {
	select {
	case s.calm <- struct{}{}:
	default:
	}
}

// finish waits for the calls that run, then ends the server.
func (s *Server) finish() error {
	if s.draining.Load() {
		<-s.drained // until then a session may let calls in
	}
	late := time.NewTimer(s.o.DrainTimeout)
	defer late.Stop()
	for s.held.Load() > 0 {
		select {
		case <-s.calm:
		case <-s.ended:
		case <-late.C:
			return s.shut(ErrTimeout)
		}
	}
	return s.shut(nil)
}

// shut ends all connections and waits for all goroutines; err is returned.
func (s *Server) shut(err error) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	listeners, sessions, refusal := s.listeners, s.list(), s.drainRefusal()
	s.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, ses := range sessions {
		ses.farewell(refusal)
	}
	d := deadline{at: time.Now().Add(flushGrace)} // for all: what a client takes at once needs no time
	for _, ses := range sessions {
		if err == nil {
			ses.out.drain(&d)
		}
		ses.fail(ErrClosed)
	}
	if first {
		go s.await() // ends with the last handler, waited for unless that ignores its context
	}
	select {
	case <-s.ended:
	case <-time.After(endGrace):
	}
	return err
}

// await tells when sessions and handlers have ended.
func (s *Server) await() {
	s.serving.Wait()
	close(s.done)
	s.workers.close() // only sessions add
	close(s.ended)
}

// Close ends the server at once: the contexts of handlers that run end, and so do all
// connections. It waits a second for handlers at most.
func (s *Server) Close() error {
	s.shut(ErrClosed)
	return nil
}

// watchIdle drains the server when it was idle for long enough.
func (s *Server) watchIdle() {
	if s.o.IdleAfter <= 0 {
		return
	}
	for wait := s.o.IdleAfter; ; {
		select {
		case <-time.After(wait):
		case <-s.drained:
			return
		case <-s.done:
			return
		}
		idle := s.idle()
		if idle >= s.o.IdleAfter {
			s.beginDrain(EventDiedIdle, "idle")
			return
		}
		wait = s.o.IdleAfter - idle
	}
}

// idle returns for how long the server has had nothing to do. What ends last touches it and then counts no more: where
// nothing is counted here, it has been touched.
func (s *Server) idle() time.Duration {
	if s.held.Load() > 0 || s.leases.Load() > 0 || s.starting.Load() {
		return 0
	}
	return time.Since(s.started) - time.Duration(s.touched.Load())
}
