package gocacheprog

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// maxInMemory is the size up to which a body is read into memory before the store gets
// it, so that the requests behind it can be read meanwhile.
const maxInMemory = 1 << 20

var (
	errNoStore = errors.New("there is no store")
	errID      = errors.New("the action ID is not 32 bytes")
	errNoPath  = errors.New("the store named no file, or one whose path is not UTF-8")
	errUnread  = errors.New("the store did not read to the end")
)

// putting is one put on its way.
type putting struct {
	s        *session
	id       int64
	action   ID
	output   ID
	hasID    bool // action is one of the go command's
	size     int64
	received time.Time
}

// put serves a put. When it returns the body was read; the answer may come later.
func (s *session) put(q *request) {
	<-s.opened
	s.out.flush() // reading the body may take a while
	slot := s.takeSlot()
	s.counters.Puts.Add(1)
	p := &putting{s: s, id: q.ID, size: q.BodySize, received: time.Now()}
	p.action, p.hasID = q.action()
	copy(p.output[:], q.OutputID)
	b := newBody(s.in, q)
	if q.BodySize <= maxInMemory {
		p.small(b, slot)
	} else {
		p.large(b, slot)
	}
}

// small reads the body, and stores it while the next request is read.
func (p *putting) small(b *body, slot *slot) {
	content, end := b.readInto(slot.memory(p.size))
	p.s.running.Go(func() { // ends with the answer
		defer p.s.giveSlot(slot)
		r := bytes.NewReader(content)
		o, err := p.store(r, end)
		if err == nil && r.Len() > 0 {
			err = errUnread
		}
		p.conclude(o, err, end, func() (string, error) { return p.s.shelf.write(content) })
	})
}

// large stores the body while it is read.
func (p *putting) large(b *body, slot *slot) {
	t := newTee(b, p.s.shelf)
	p.s.running.Go(func() { // ends with the answer
		defer p.s.giveSlot(slot)
		o, err := p.store(t, io.EOF)
		if err == nil && !t.atEnd() {
			err = errUnread
		}
		p.conclude(o, err, t.drain(), t.keep)
		t.close()
	})
	<-t.ended
}

// store puts a body that ends as said into the store.
func (p *putting) store(r io.Reader, end error) (Object, error) {
	switch {
	case end != io.EOF:
		return Object{}, end
	case p.s.store == nil:
		return Object{}, errNoStore
	case !p.hasID:
		return Object{}, errID
	}
	o, err := p.s.store.Put(p.s.ctx, p.action, p.output, r)
	if err == nil && !nameable(o.Path) {
		err = errNoPath
	}
	return o, err
}

// conclude answers, given what the store said and how the body ended. keep puts the
// body on the shelf.
func (p *putting) conclude(o Object, err, end error, keep func() (string, error)) {
	switch {
	case errors.Is(end, errAbandoned):
		p.s.trouble.report("a put is not answered", end)
	case errors.Is(end, errBody):
		p.refuse(end)
	case err == nil:
		p.s.counters.PutBytes.Add(p.size)
		p.s.shelf.forget(p.action)
		p.s.out.send(&response{ID: p.id, DiskPath: o.Path})
	default:
		p.keep(err, end, keep)
	}
}

// keep answers with a path on the shelf. What is not what its output ID says is never
// an answer to a get.
func (p *putting) keep(err, end error, keep func() (string, error)) {
	if !errors.Is(err, errNoStore) { // which was reported when it was not opened
		p.s.trouble.report("outputs are kept for this build only", err)
	}
	path, err := keep()
	if err != nil {
		p.refuse(err)
		return
	}
	p.s.counters.Kept.Add(1)
	p.s.counters.PutBytes.Add(p.size)
	if p.hasID && end == io.EOF {
		o := Object{Output: p.output, Size: p.size, Time: p.received, Path: path}
		p.s.shelf.keep(p.action, o)
	}
	p.s.out.send(&response{ID: p.id, DiskPath: path})
}

// refuse answers with an error, which fails the build.
func (p *putting) refuse(err error) {
	p.s.counters.Refused.Add(1)
	p.s.trouble.report("a put is refused", err)
	p.s.out.send(&response{ID: p.id, Err: err.Error()})
}
