package gocacheprog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Options configure [Serve]. A nil *Options and every zero field mean the default.
type Options struct {
	// Sessions is the folder below which a session folder is made when the store does
	// not take a body; it is made when missing. When it refuses too, or is empty, the
	// system's temporary folder takes its place. Session folders stay for 24 hours after
	// their session and are removed by a later one with the same Sessions.
	Sessions string
	// Concurrency bounds the requests that are worked on at once, each of which may hold
	// 1 MiB. Zero means 16.
	Concurrency int
	// Logger hears of each kind of trouble once a session: no answer to the go command can
	// tell of it. Nil means silence.
	Logger *slog.Logger
	// Counters are counted up as the session goes on. Nil means that nobody looks.
	Counters *Counters
}

const defaultConcurrency = 16

// Serve talks to one go command: it reads requests from r and writes responses to w,
// as the program that GOCACHEPROG names does with its standard input and output.
//
// It announces what it can do before open is called, and opens the store while the go
// command starts. It returns when r ends, which for a go command is its end, and after
// the last response was written; w is not closed. The store is released then, but still open:
// a program closes w first, for the go command waits for that, and its store afterwards.
//
// A cache never breaks a build. A get that fails is a miss. The body of a put that
// fails is kept in a session folder. What cannot be answered is skipped. When ctx ends,
// Serve does not: it goes on without the store.
//
// The error is that of r, of w or of the options, and nil after a whole conversation.
func Serve(ctx context.Context, r io.Reader, w io.Writer, open Opener, o *Options) error {
	s, err := newSession(ctx, r, w, o)
	if err != nil {
		return err
	}
	s.out.send(&response{KnownCommands: []string{commandGet, commandPut, commandClose}})
	ctx, cancel := context.WithCancel(ctx)
	var opening sync.WaitGroup
	opening.Go(func() { s.open(ctx, open) }) // ends when the store is open, or with r
	s.running.Go(s.watch.newReader().read)   // ends with r
	s.running.Wait()
	cancel()
	opening.Wait()
	s.end()
	if err := errors.Join(s.readErr, s.out.failure()); err != nil {
		return fmt.Errorf("gocacheprog: serve: %w", err)
	}
	return nil
}

// session is one conversation.
type session struct {
	ctx      context.Context // of Serve, which outlives every use
	sessions string          // of the options
	counters *Counters
	in       *input
	out      output
	shelf    *shelf
	trouble  trouble

	opened chan struct{} // closed once store is what it will be
	store  Store         // nil when there is none

	slots   chan *slot
	running sync.WaitGroup
	watch   watch
	readErr error // set by the last reader
}

func newSession(ctx context.Context, r io.Reader, w io.Writer, o *Options) (*session, error) {
	if o == nil {
		o = new(Options)
	}
	if o.Concurrency < 0 {
		return nil, fmt.Errorf("gocacheprog: serve: Concurrency is negative: %d", o.Concurrency)
	}
	concurrency := cmp.Or(o.Concurrency, defaultConcurrency)
	s := &session{
		ctx: ctx, sessions: o.Sessions, counters: o.Counters, in: newInput(r), shelf: newShelf(o.Sessions),
		opened: make(chan struct{}), slots: make(chan *slot, concurrency),
	}
	if s.counters == nil {
		s.counters = new(Counters)
	}
	if s.trouble.logger = o.Logger; o.Logger == nil {
		s.trouble.logger = slog.New(slog.DiscardHandler)
	}
	s.out.w = w
	s.watch.init(s)
	for range concurrency {
		s.slots <- new(slot)
	}
	return s, nil
}

// open opens the store, then removes what earlier sessions have left.
func (s *session) open(ctx context.Context, open Opener) {
	store, err := open(ctx)
	if err != nil {
		if ctx.Err() == nil || s.ctx.Err() != nil { // else the session was over before it needed one
			s.trouble.report("no store: outputs are kept for this build only", err)
		}
		close(s.opened)
		return
	}
	s.store = store
	close(s.opened)
	s.sweep(s.sessions)
}

func (s *session) sweep(parent string) {
	if parent == "" {
		return
	}
	if err := sweep(s.ctx, parent, time.Now()); err != nil {
		s.trouble.report("an old session folder stays", err)
	}
}

// end gives up what the session held.
func (s *session) end() {
	s.watch.stop()
	if s.store != nil {
		s.store.Release()
	}
	for _, parent := range s.shelf.close() {
		s.sweep(parent)
	}
}
