package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"math"
	"sync"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// A go command asks for much the same outputs in much the same order as the one before it. The broker
// remembers that order, and sends what will be asked for next before it is: most gets of a warm build are
// then answered without a way to the broker and back.

// order remembers which action was asked for after which, by the go command that did so last.
type order struct {
	mu   sync.Mutex
	next map[gocacheprog.ID]gocacheprog.ID
}

// maxOrder bounds the actions remembered, at 64 bytes each; beyond it all are forgotten.
const maxOrder = 1 << 16

func (o *order) note(before, action gocacheprog.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil || len(o.next) >= maxOrder {
		o.next = map[gocacheprog.ID]gocacheprog.ID{}
	}
	o.next[before] = action
}

func (o *order) after(action gocacheprog.ID) (gocacheprog.ID, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next, ok := o.next[action]
	return next, ok
}

const (
	// maxAhead bounds what is sent because of one get.
	maxAhead = 4096
	// aheadBytes are gathered before they are sent.
	aheadBytes = 4 << 10
)

// guide sends a session's go command what will be asked for after each action that it had to ask for.
type guide struct {
	s     *sessions
	id    uint64 // of the session
	asked chan gocacheprog.ID
	sent  map[gocacheprog.ID]struct{}
}

func newGuide(s *sessions, id uint64) *guide {
	return &guide{s: s, id: id, asked: make(chan gocacheprog.ID, 1), sent: map[gocacheprog.ID]struct{}{}}
}

// tell says what was asked for. It never waits: while the guide is busy it need not know.
func (g *guide) tell(action gocacheprog.ID) {
	select {
	case g.asked <- action:
	default:
	}
}

// run sends to w until that fails or ctx ends: the go command then has to ask.
func (g *guide) run(ctx context.Context, w io.Writer) {
	for {
		select {
		case action := <-g.asked:
			if g.lead(ctx, w, action) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// lead sends what follows action, up to what was sent before.
func (g *guide) lead(ctx context.Context, w io.Writer, action gocacheprog.ID) (err error) {
	var b []byte
	for range maxAhead {
		next, ok := g.s.order.after(action)
		if _, was := g.sent[next]; !ok || was {
			break
		}
		action = next
		g.sent[action] = struct{}{}
		if b, err = g.append(ctx, b, action); err != nil {
			return err
		}
		if len(b) >= aheadBytes {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err = w.Write(b)
	return err
}

// append appends the object under action: the length of what follows, u16, the action, and the object. What cannot
// be had is left to be asked for.
func (g *guide) append(ctx context.Context, b []byte, action gocacheprog.ID) ([]byte, error) {
	err := g.s.with(g.id, func(l *leased) error {
		o, err := l.Get(ctx, action)
		n := len(action) + objectBytes + len(o.Path)
		if err != nil || n > math.MaxUint16 {
			return nil
		}
		b = append(binary.LittleEndian.AppendUint16(b, uint16(n)), action[:]...)
		b = appendObject(b, &o)
		return nil
	})
	return b, err
}

// ahead holds what a session's broker sent before it was asked for.
type ahead struct {
	mu      sync.Mutex
	objects map[gocacheprog.ID]gocacheprog.Object
	own     map[gocacheprog.ID]bool // that the go command has put: what is sent may be older
	last    gocacheprog.ID          // that the go command asked for
}

// take returns what was sent for action, and what was asked for before it.
func (a *ahead) take(action gocacheprog.ID) (o gocacheprog.Object, ok bool, before gocacheprog.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, a.last = a.last, action
	o, ok = a.objects[action]
	delete(a.objects, action)
	return o, ok, before
}

func (a *ahead) add(action gocacheprog.ID, o gocacheprog.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own[action] {
		return
	}
	if a.objects == nil {
		a.objects = map[gocacheprog.ID]gocacheprog.Object{}
	}
	a.objects[action] = o
}

// drop forgets what was sent for an action, and what will be.
func (a *ahead) drop(action gocacheprog.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own == nil {
		a.own = map[gocacheprog.ID]bool{}
	}
	a.own[action] = true
	delete(a.objects, action)
}

// read takes what comes over the session's stream, until that ends.
func (a *ahead) read(st io.Reader) {
	r := bufio.NewReaderSize(st, 64<<10)
	for {
		action, o, err := readAhead(r)
		if err != nil {
			return
		}
		a.add(action, o)
	}
}

// readAhead reads what guide.append has written.
func readAhead(r io.Reader) (action gocacheprog.ID, o gocacheprog.Object, err error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return action, o, err
	}
	b := make([]byte, binary.LittleEndian.Uint16(n[:]))
	if _, err := io.ReadFull(r, b); err != nil {
		return action, o, err
	}
	if copy(action[:], b) < len(action) {
		return action, o, errShort
	}
	o, err = parseObject(b[len(action):])
	return action, o, err
}
