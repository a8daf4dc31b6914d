package ipc

import (
	"io"
	"math"
	"os"
	"slices"
)

// Before the acknowledgement has come, a client takes the server's limits to be these.
const (
	defaultMaxMessage = 64 << 20
	defaultMaxCalls   = 256
	mostSlots         = 4096 // of one connection, whatever the server allows
)

// mux is the client's end of one connection.
type mux struct {
	link
	role       role
	maxAnswer  int
	control    chan struct{}
	controlled call

	// Guarded by mu:
	calls      []*call    // by slot
	free       []*call    // slots that are not in use
	queued     int        // calls that wait for a slot
	given      chan *call // slots for them; made when the first one waits, with room for all slots
	running    int
	info       ServerInfo
	acked      bool
	unacked    []*waiter // calls that wait for that
	maxMessage int
	maxCalls   int
	retired    bool  // closed with its last call
	away       error // the server takes no more calls
	processed  int64 // with away: calls that lie here or later were not processed

	// Of the leader:
	head   header
	cur    *call  // whose frame is being read, nil to skip it
	curGen uint32 // of cur when the frame began: if it has another one now, the call was given up
	notice []byte // payload of a go-away
}

// newMux begins with the hello, which is sent with the first request.
func newMux(f *os.File, r role, o *ClientOptions) (*mux, error) {
	m := &mux{role: r, maxAnswer: o.MaxMessage, maxCalls: defaultMaxCalls,
		maxMessage: defaultMaxMessage, control: make(chan struct{}, 1)}
	if r == roleLockstep {
		m.maxCalls = 1
	}
	m.piece = r.piece()
	m.controlled = call{waiter: newWaiter(), id: callID{slot: controlSlot}}
	m.pingEvery = o.PingEvery
	if err := m.open(f, m, 2*max(o.PingEvery, 0)); err != nil {
		return nil, err
	}
	h := hello{lowest: versionLowest, highest: versionHighest, role: r}
	if passesFiles {
		h.features |= featureFiles
	}
	m.out.addRaw(appendHello(nil, h))
	return m, nil
}

// acquireFor is acquire for a request that may be larger than a server takes unless it says more.
func (m *mux) acquireFor(out *outgoing, d *deadline) (*call, error) {
	if len(out.payload) > m.maxMessage && !m.acked {
		m.out.push() // the hello
		if err := m.awaitAck(d); err != nil {
			return nil, err
		}
	}
	return m.acquire(d)
}

// acquire takes a slot that is not in use, and waits for one if there may be no more. It is called and returns with mu
// held.
func (m *mux) acquire(d *deadline) (*call, error) {
	if n := len(m.free) - 1; n >= 0 {
		k := m.free[n]
		m.free = m.free[:n]
		return k, nil
	}
	if n := len(m.calls); n < m.maxCalls {
		k := &call{waiter: newWaiter(), id: callID{slot: uint32(n)}}
		// No control call holds its thread: a call for a file beside it would wait for that read.
		// Nor does a call to this process, which may need the processor.
		k.holds = m.role == roleLockstep && m.peer.PID != os.Getpid()
		m.calls = append(m.calls, k)
		return k, nil
	}
	if !m.acked && m.role == roleMultiplexed { // it may allow more, and perhaps nobody reads
		if err := m.awaitAck(d); err != nil {
			return nil, err
		}
		return m.acquire(d)
	}
	if m.given == nil {
		m.given = make(chan *call, mostSlots)
	}
	m.queued++
	m.mu.Unlock()
	k, err := m.queue(d)
	m.mu.Lock()
	if err == nil {
		return k, nil
	}
	if m.queued > 0 {
		m.queued--
	} else { // one was given at the last moment
		m.giveBack(<-m.given)
	}
	return nil, err
}

// awaitAck waits for the acknowledgement. It is called and returns with mu held.
func (m *mux) awaitAck(d *deadline) error {
	w := newWaiter()
	m.unacked = append(m.unacked, &w)
	m.mu.Unlock()
	err := m.await(&w, d)
	if w.timer != nil {
		w.timer.Stop()
	}
	d.now = now()
	m.mu.Lock()
	m.unacked = slices.DeleteFunc(m.unacked, func(u *waiter) bool { return u == &w })
	return err
}

// queue waits for a slot that another call gives back.
func (m *mux) queue(d *deadline) (*call, error) {
	timeout, stop := d.timer()
	defer stop()
	select {
	case k := <-m.given:
		d.now = now()
		return k, nil
	case <-m.gone:
		return nil, m.reason()
	case <-timeout:
		return nil, ErrTimeout
	case <-d.done():
		return nil, d.err()
	}
}

// giveBack gives a slot to a call that waits for one. The caller holds mu.
func (m *mux) giveBack(k *call) {
	k.dst, k.full, k.stream = nil, nil, nil
	switch {
	case int64(k.id.slot) >= int64(m.maxCalls): // that of control operations, too
	case m.queued > 0:
		m.queued--
		m.given <- k
	default:
		m.free = append(m.free, k)
	}
}

// enter lets k take answers. It fails when the connection takes no more calls. The caller holds mu.
func (m *mux) enter(k *call, out *outgoing) error {
	switch {
	case m.err != nil:
		return m.err
	case m.away != nil && out.op != 0:
		return m.away
	case len(out.payload) > m.maxMessage:
		return ErrTooLarge
	}
	m.running++
	k.crowd = m.running > 1
	k.begin(out)
	return nil
}

// exit gives the slot back. Frames for the call that still come are dropped. It is called with mu held, and lets go of it.
func (m *mux) exit(k *call) {
	m.running--
	k.id.gen++
	k.active = false
	m.giveBack(k)
	idle := m.running == 0 && m.retired
	m.mu.Unlock()
	if idle {
		m.close()
	}
}

// usable reports whether new calls have a chance.
func (m *mux) usable() bool { return !m.spent.Load() && !m.out.dead.Load() }

// expire lets no more calls begin: the server has refused one because it drains.
func (m *mux) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spent.Store(true)
	if m.away == nil { // the go-away is still to come, and calls that were sent may yet be answered
		m.away, m.processed = ErrDraining, math.MaxInt64
	}
}

// retire closes the connection as soon as no call runs.
func (m *mux) retire() {
	m.mu.Lock()
	m.retired = true
	m.spent.Store(true)
	idle := m.running == 0
	m.mu.Unlock()
	if idle {
		m.close()
	}
}

// reason returns why no call can begin.
func (m *mux) reason() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return m.err
	case m.away != nil:
		return m.away
	case m.out.dead.Load():
		return io.EOF // writing has failed
	}
	return ErrClosed
}

// failed reports whether nothing at all can be sent.
func (m *mux) failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err != nil || m.out.dead.Load()
}

// lookup returns the call that waits for frames with an id. The caller holds mu.
func (m *mux) lookup(id callID) *call {
	k := &m.controlled
	if id.slot != controlSlot {
		if int64(id.slot) >= int64(len(m.calls)) {
			return nil
		}
		k = m.calls[id.slot]
	}
	if k.id != id || !k.active {
		return nil
	}
	return k
}

// greet takes the acknowledgement.
func (m *mux) greet(p []byte) (int, error) {
	if len(p) < ackHeadSize {
		return 0, nil
	}
	head, err := parseAckHead(p)
	if err != nil {
		return 0, err
	}
	n := ackHeadSize + int(head.length)
	if len(p) < n {
		return 0, nil
	}
	m.acked, m.info.Protocol = true, int(head.version)
	for _, w := range m.unacked {
		m.tell(w)
	}
	err = eachField(p[ackHeadSize:n], func(tag byte, contents []byte) {
		switch tag {
		case tagMaxMessage:
			m.maxMessage = int(min(uint64Of(contents), 1<<32-1, math.MaxInt))
		case tagMaxCalls:
			if m.role == roleMultiplexed {
				m.maxCalls = int(min(max(uint64Of(contents), 1), mostSlots))
				m.free = slices.DeleteFunc(m.free, func(k *call) bool { return int64(k.id.slot) >= int64(m.maxCalls) })
			}
		default:
			m.info.field(tag, contents)
		}
	})
	if head.version == 0 { // calls that were sent are refused, control operations go on
		m.away, m.processed = ErrVersion, 0
		m.spent.Store(true)
	}
	return n, err
}

// begin takes the header of a frame.
func (m *mux) begin(h header) error {
	m.head, m.cur = h, nil
	if h.kind == frameGoAway {
		m.notice = m.notice[:0]
		return nil
	}
	if h.kind == frameRequest || h.kind == frameCancel || h.flags&flagStream != 0 {
		return errFrame
	}
	var file *os.File
	if h.flags&flagFile != 0 {
		if file = m.wire.claim(); file == nil {
			return errRights
		}
	}
	k := m.lookup(h.id)
	if k == nil {
		if file != nil {
			file.Close()
		}
		return nil
	}
	m.cur, m.curGen = k, k.id.gen
	return m.headFor(k, h, file)
}

// headFor prepares k for the payload that follows h.
func (m *mux) headFor(k *call, h header, file *os.File) error {
	if file != nil && (!k.out.file || k.file != nil) {
		file.Close()
		return errFrame
	}
	if file != nil {
		k.file = file
	}
	switch h.kind {
	case frameResponse, frameError, framePiece:
		if k.begun != (h.kind == framePiece) {
			return errFrame
		}
		k.begun = true
		if h.kind == frameError {
			k.failed, k.dst = true, nil // the request may lie in that space, and be made again
		}
		k.expect(int64(h.length)+int64(h.extra), m.maxAnswer)
	case frameChunk, frameCredit:
		if k.stream == nil {
			return errFrame
		}
		return k.stream.frame(h)
	}
	return nil
}

// body takes a part of the payload of the current frame.
func (m *mux) body(p []byte) error {
	if m.head.kind == frameGoAway {
		if len(m.notice)+len(p) > ackFieldMax {
			return errFrame
		}
		m.notice = append(m.notice, p...)
		return nil
	}
	switch k := m.current(); {
	case k == nil:
	case m.head.kind == frameChunk:
		k.stream.take(p)
	default:
		k.take(p)
	}
	return nil
}

// current returns the call of the current frame unless it was given up meanwhile. The caller
// holds mu.
func (m *mux) current() *call {
	if m.cur == nil || m.cur.id.gen != m.curGen {
		return nil
	}
	return m.cur
}

// room lets the leader read its own answer straight to where it belongs. Nobody else's: they may
// give up at any time.
func (m *mux) room(n int) []byte {
	k := m.cur
	if k == nil || &k.waiter != m.leader || k.id.gen != m.curGen || k.failed || k.stream != nil {
		return nil
	}
	return k.room(n)
}

// end comes after the last part of the current frame.
func (m *mux) end() error {
	if m.in.r == m.in.w {
		m.wire.closeFiles() // all that was announced is claimed
	}
	if m.head.kind == frameGoAway {
		return m.goAway()
	}
	k := m.current()
	if k == nil {
		return nil
	}
	if m.head.kind == frameChunk {
		k.stream.endFrame(m.head)
	}
	if m.head.kind <= framePiece && m.head.flags&flagMore == 0 {
		k.active = false
		m.tell(&k.waiter)
		k.endStream()
	}
	return nil
}

// goAway takes the server's notice that it takes no more calls.
func (m *mux) goAway() error {
	e := &RemoteError{Code: codeDraining}
	var processed int64
	err := eachField(m.notice, func(tag byte, contents []byte) {
		switch tag {
		case tagCode:
			e.Code = uint32(uint64Of(contents))
		case tagReason:
			e.Message = string(contents)
		case tagProcessed:
			processed = int64(uint64Of(contents))
		}
	})
	if err != nil {
		return err
	}
	m.away, m.processed = e, processed
	m.spent.Store(true)
	return nil
}
