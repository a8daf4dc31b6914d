package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/gocacheprog"
	"github.com/larderbuild/larder/ipc"
)

// sessions are the go commands that a broker serves. Each holds leases on what it was told of.
type sessions struct {
	store *cache.Store
	over  chan struct{} // closed when the broker drains
	once  sync.Once

	mu   sync.RWMutex
	list map[uint64]*leased
	last uint64

	order order

	// turns let one of several puts of an action go first; they share them by its first byte.
	turns [256]sync.Mutex
}

// leased is one session's view of the store.
type leased struct {
	gocacheprog.Store
	guide *guide
	use   sync.RWMutex // held for reading by calls, so that none is made after Release
	end   bool
}

func (s *sessions) init(store *cache.Store) {
	s.store, s.over, s.list = store, make(chan struct{}), map[uint64]*leased{}
	s.last = rand.Uint64() >> 1 // not the numbers of the broker before
}

// end lets every session go.
func (s *sessions) end() { s.once.Do(func() { close(s.over) }) }

func (s *sessions) begin() (l *leased, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	id := s.last
	l = &leased{Store: gocacheprog.Over(s.store), guide: newGuide(s, id)}
	s.list[id] = l
	return l, func() {
		s.mu.Lock()
		delete(s.list, id)
		s.mu.Unlock()
		l.use.Lock()
		defer l.use.Unlock()
		l.end = true
		l.Release()
	}
}

// with runs use on a session's view of the store.
func (s *sessions) with(id uint64, use func(*leased) error) error {
	s.mu.RLock()
	l := s.list[id]
	s.mu.RUnlock()
	if l == nil {
		return errNoSession
	}
	if !l.use.TryRLock() { // it ends: waiting for that could be waiting for an upload that only this goroutine reads
		return errNoSession
	}
	defer l.use.RUnlock()
	if l.end {
		return errNoSession
	}
	return use(l)
}

var errNoSession = &ipc.RemoteError{Code: codeNoSession, Message: "no such session"}

// session holds a session until its client ends, or the broker does.
func (s *sessions) session(ctx context.Context, _ *ipc.Request, st *ipc.Stream) error {
	l, end := s.begin()
	defer end()
	if _, err := st.Write(binary.LittleEndian.AppendUint64(nil, l.guide.id)); err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() { // ends with the stream, which ends with this handler
		io.Copy(io.Discard, st)
		close(gone)
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go l.guide.run(ctx, st) // ends with ctx or the stream
	select {
	case <-gone:
	case <-s.over:
	case <-ctx.Done():
	}
	return nil
}

func (s *sessions) get(ctx context.Context, r *ipc.Request) (*ipc.Response, error) {
	if len(r.Payload) != getBytes {
		return nil, errShort
	}
	answer := r.Buffer()
	action, before := gocacheprog.ID(r.Payload[8:]), gocacheprog.ID(r.Payload[8+32:])
	err := s.with(binary.LittleEndian.Uint64(r.Payload), func(l *leased) error {
		if before != action {
			s.order.note(before, action)
			l.guide.tell(action)
		}
		o, err := l.Get(ctx, action)
		if err == nil {
			answer = appendObject(answer, &o)
		}
		return err
	})
	if err != nil && !errors.Is(err, gocacheprog.ErrMiss) {
		return nil, err
	}
	return r.Reply(answer), nil
}

func (s *sessions) put(ctx context.Context, r *ipc.Request) (*ipc.Response, error) {
	h, body, err := parsePutHead(r.Payload)
	if err != nil {
		return nil, err
	}
	o, err := s.takeInTurn(ctx, h, body)
	if err != nil {
		return nil, err
	}
	return r.Reply(appendObject(nil, &o)), nil
}

func (s *sessions) upload(ctx context.Context, r *ipc.Request, st *ipc.Stream) error {
	h, _, err := parsePutHead(r.Payload)
	if err != nil {
		return err
	}
	o, err := s.take(ctx, h, st)
	if err != nil {
		return err
	}
	_, err = st.Write(appendObject(nil, &o))
	return err
}

// takeInTurn is take while nobody else stores a body for the action. An upload does not wait for its turn, for it
// lasts as long as its client likes.
func (s *sessions) takeInTurn(ctx context.Context, h putHead, body []byte) (gocacheprog.Object, error) {
	turn := &s.turns[h.action[0]]
	turn.Lock()
	defer turn.Unlock()
	return s.take(ctx, h, bytes.NewReader(body))
}

// take stores a body, unless another go command was faster with the same.
func (s *sessions) take(ctx context.Context, h putHead, body io.Reader) (o gocacheprog.Object, err error) {
	err = s.with(h.session, func(l *leased) error {
		if o, err = l.Get(ctx, h.action); err == nil && o.Output == h.output {
			_, err = io.Copy(io.Discard, body)
			return err
		}
		o, err = l.Put(ctx, h.action, h.output, body)
		return err
	})
	return o, err
}
