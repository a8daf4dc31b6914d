package ipc

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// readGrace is how long a leader reads at least before a silence counts.
const readGrace = 10 * time.Millisecond

// link is what both ends of a connection have in common: frames in and out, and goroutines that
// wait for what comes in. Where nobody reads for good, one of those that wait does: the leader.
//
// Lock order: mu comes before the outbox's.
type link struct {
	wire wire
	out  outbox
	in   inbound
	peer Peer

	piece int // most bytes of a message in one frame

	background sync.WaitGroup
	gone       chan struct{} // closed when the connection is dead
	spent      atomic.Bool   // no call should begin

	mu      sync.Mutex
	err     error // why the connection is dead
	reading bool
	leader  *waiter   // nil if the reader is no waiter
	waiting []*waiter // for news, or to lead

	// Of the leader:
	pingEvery time.Duration // 0: the peer is not pinged
	pumps     uint64
	pumpsSeen uint64
	pingAt    time.Time
	missed    int
	armed     time.Time // the read deadline that a leader set last, zero for none: an interrupted read has another
}

// waiter is one goroutine that waits for something to come in. It may be woken for nothing.
type waiter struct {
	wake  chan struct{} // has room for one
	place int           // in link.waiting, -1 if not there
	news  bool          // guarded by link.mu: what it waits for may have come
	holds bool          // its answer is worth holding a thread for, once one has come

	timer *time.Timer // calls alarm; it is not stopped after a call, for that costs more than to be woken for nothing
	rings time.Time   // when it does
	rung  atomic.Bool // it has done so
}

func newWaiter() waiter { return waiter{wake: make(chan struct{}, 1), place: -1} }

func (l *link) open(f *os.File, s sink, stall time.Duration) error {
	if err := l.wire.open(f); err != nil {
		return err
	}
	l.gone = make(chan struct{})
	l.in = inbound{wire: &l.wire, sink: s}
	l.out.open(&l.wire, stall, &l.background)
	return nil
}

// fail ends the connection; the first reason counts.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.spent.Store(true)
	l.out.close(err)
	l.wire.f.Close()
	close(l.gone)
	for _, w := range l.waiting {
		w.ring()
	}
}

// close ends the connection and waits for the goroutines that belong to it.
func (l *link) close() {
	l.fail(ErrClosed)
	l.background.Wait()
}

// tell gives w something to look at. The caller holds mu.
func (l *link) tell(w *waiter) {
	w.news = true
	if w != l.leader {
		w.ring()
	}
}

func (w *waiter) ring() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// await is wait for a caller that does not hold mu.
func (l *link) await(w *waiter, d *deadline) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wait(w, d)
}

// wait waits until there is news for w. Meanwhile it reads the connection if nobody else does. It is called and
// returns with mu held.
func (l *link) wait(w *waiter, d *deadline) error {
	defer l.handOver()
	for followed := false; ; {
		switch {
		case w.news:
			w.news = false
			return nil
		case l.err != nil:
			return l.err
		}
		var err error
		if !l.reading {
			if followed {
				d.now = now() // others have read since it began to wait
			}
			err = l.lead(w, d)
		} else {
			err, followed = l.follow(w, d), true
		}
		if gaveUp(err) && !w.news {
			return err // else the connection is dead, and its first reason counts
		}
	}
}

// handOver lets another waiter lead if nobody reads. The caller holds mu.
func (l *link) handOver() {
	if n := len(l.waiting); !l.reading && n > 0 {
		l.waiting[n-1].ring()
	}
}

// follow waits while another reads. It is called and returns with mu held.
func (l *link) follow(w *waiter, d *deadline) (err error) {
	w.place = len(l.waiting)
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	w.ringAt(d.at)
	if d.ctx == nil {
		<-w.wake
	} else {
		select {
		case <-w.wake:
		case <-d.done():
			err = d.err()
		}
	}
	if err == nil && w.rung.Load() {
		err = d.err()
	}
	l.mu.Lock()
	last := len(l.waiting) - 1
	l.waiting[w.place] = l.waiting[last]
	l.waiting[w.place].place = w.place
	l.waiting[last] = nil
	l.waiting = l.waiting[:last]
	w.place = -1
	return err
}

// ringAt makes sure that w is woken at that time. A timer that rings earlier may stay: w is then woken for nothing.
func (w *waiter) ringAt(at time.Time) {
	switch {
	case at.IsZero() || !w.rings.IsZero() && !at.Before(w.rings) && !w.rung.Load():
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(time.Until(at), w.alarm)
	default:
		w.rung.Store(false) // an alarm that runs just now may set it again, and w is woken once for nothing
		w.timer.Reset(time.Until(at))
	}
	w.rings = at
}

func (w *waiter) alarm() {
	w.rung.Store(true)
	w.ring()
}

// lead reads until there is news for w. It is called and returns with mu held.
func (l *link) lead(w *waiter, d *deadline) error {
	l.reading, l.leader = true, w
	l.mu.Unlock()
	stop := never
	if d.ctx != nil { // else the function, which nothing would call, costs memory
		stop = d.onCancel(func() { l.interrupt(w) })
	}
	err := l.read(w, d)
	stop()
	l.mu.Lock()
	l.reading, l.leader = false, nil
	return err
}

// interrupt ends the read of w if it leads. The next leader finds the deadline passed and sets its own.
func (l *link) interrupt(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nudge(w)
}

// nudge is interrupt for a caller that holds mu.
func (l *link) nudge(w *waiter) {
	if l.leader == w {
		l.wire.f.SetReadDeadline(longAgo)
	}
}

func (l *link) read(w *waiter, d *deadline) error {
	armed := !l.endsBy(d.at) // else the read may end at a time that another has set, which may be long past
	if armed {
		l.arm(d.at, d.now)
		if l.toldNews(w) {
			return nil // who told it may have interrupted the read before it was armed
		}
	}
	// Told each time, for an earlier leader may have left without a read.
	l.wire.hold(w.holds && l.pumps > 0, d.at)
	quiet := d.now // since when nothing has come
	for {
		if err := d.ended(); err != nil {
			return err
		}
		news := false
		err := l.in.read()
		if err == nil {
			l.mu.Lock()
			err = l.in.pass()
			news = w.news
			l.mu.Unlock()
		}
		switch {
		case err == nil:
			l.pumps++
			quiet = time.Time{}
		case err == os.ErrDeadlineExceeded:
			if err := d.err(); err != nil {
				return err
			}
			if err := l.ping(armed); err != nil {
				l.fail(err)
				return err
			}
			l.arm(d.at, quiet)
			armed = true
			news = l.toldNews(w) // who told it may have interrupted the read
		default:
			l.fail(err)
			l.wire.closeFiles()
			return err
		}
		if news {
			return nil
		}
	}
}

func (l *link) toldNews(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return w.news
}

// endsBy reports whether the deadline that reads have already is early enough for a wait until at. Too early is no harm:
// the leader sees that its time is not up and reads on. That happens once in many calls, and so costs less than to set
// the deadline for each of them.
func (l *link) endsBy(at time.Time) bool {
	if l.armed.IsZero() {
		return at.IsZero() && l.pingEvery <= 0
	}
	return at.IsZero() || !at.Before(l.armed)
}

// arm makes reads end at a time, or earlier for the next ping. quiet is since when nothing has come; zero is now.
func (l *link) arm(at, quiet time.Time) {
	if l.pingEvery > 0 {
		at = earlier(at, l.nextPing(time.Now(), quiet))
	}
	l.armed = at
	l.wire.f.SetReadDeadline(at)
}

// nextPing returns when the peer is to be pinged if it stays silent. It begins to count anew where something has come,
// or nobody was there to ping, since the last time; else the silence of earlier leaders counts too.
func (l *link) nextPing(now, quiet time.Time) time.Time {
	if l.pumps != l.pumpsSeen || now.Sub(l.pingAt) > l.pingEvery {
		l.pumpsSeen, l.missed = l.pumps, 0
		if quiet.IsZero() {
			quiet = now
		}
		l.pingAt = quiet.Add(l.pingEvery)
	}
	// What has come while nobody led must be read before the peer is judged.
	if soon := now.Add(readGrace); l.pingAt.Before(soon) {
		l.pingAt = soon
	}
	return l.pingAt
}

// ping asks the peer for a sign of life if it was silent for long, and gives it up after two
// that it did not answer. armed says that the leader has set the deadline of the read itself: with
// one that was set before, nobody may have listened in between, and the silence means nothing.
func (l *link) ping(armed bool) error {
	if l.out.death() == ErrWedged {
		return ErrWedged
	}
	if !armed || l.pingEvery <= 0 || l.pumps != l.pumpsSeen || time.Now().Before(l.pingAt) {
		return nil
	}
	if l.missed == 2 {
		return ErrWedged
	}
	l.missed++
	l.pingAt = time.Now().Add(l.pingEvery / 2)
	h := header{kind: frameRequest, id: callID{slot: pingSlot}, length: 1}
	l.out.add(h, []byte{controlPing}) // fails only with the connection
	l.out.push()
	return nil
}

// sendMessage writes a message in as many frames as it takes. The kind of h is that of the first;
// at is where that lies.
func (l *link) sendMessage(h header, p []byte, d *deadline, crowd bool) (at int64, err error) {
	flags, first := h.flags, int64(notSent)
	for {
		part := p[:min(len(p), l.piece)]
		p = p[len(part):]
		h.length, h.flags = uint32(len(part)), flags
		if len(p) > 0 {
			h.flags |= flagMore
		}
		if h.kind == frameResponse {
			h.extra = uint32(len(p))
		}
		at, err := l.out.send(h, part, d, crowd)
		if h.kind != framePiece {
			first = at
		}
		if err != nil || len(p) == 0 {
			return first, err
		}
		h.kind, h.op, h.extra, flags = framePiece, 0, 0, 0
	}
}
