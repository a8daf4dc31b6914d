package ipc

import (
	"context"
	"os"
	"slices"
)

// errorLength is how much of an error answer is sent, and kept.
const errorLength = 64 << 10

// outgoing is a request.
type outgoing struct {
	op      uint16
	payload []byte
	file    bool // a descriptor is welcome as the answer
	stream  bool
}

// call is a slot of a connection and the call that has it.
type call struct {
	waiter
	id  callID // guarded by mu: late frames carry another generation
	out outgoing
	at  int64 // where the request begins among the bytes sent on the connection, or notSent
	// crowd says that other calls are under way: whoever waits a moment can send their frames with its own.
	crowd bool

	// Guarded by mu until the answer is complete:
	active   bool // frames are taken
	begun    bool // an answer has begun
	failed   bool // it is an error
	tooLarge bool
	dst      []byte
	full     [][]byte // what comes before dst, where that is long
	came     int      // bytes of the answer
	file     *os.File
	stream   *Stream
}

func (k *call) begin(out *outgoing) {
	k.out, k.at = *out, notSent
	k.active, k.begun, k.failed, k.tooLarge, k.news = true, false, false, false, false
	k.file, k.full, k.came = nil, nil, 0
}

// expect makes room for the first of n more bytes of the answer, unless it is longer than most then.
func (k *call) expect(n int64, most int) {
	if k.failed {
		return
	}
	if int64(k.came)+n > int64(most) {
		k.tooLarge = true
	}
	if !k.tooLarge {
		k.grow(int(min(n, growStep)))
	}
}

// grow makes room for the first of n more bytes. What is long is not copied for that: it would take milliseconds, for which
// nobody else could have their answer, or give up.
func (k *call) grow(n int) {
	switch {
	case n <= cap(k.dst)-len(k.dst):
	case len(k.dst) < growStep:
		k.dst = slices.Grow(k.dst, n)
	case len(k.dst) == cap(k.dst):
		k.full, k.dst = append(k.full, k.dst), make([]byte, 0, growStep)
	}
}

func (k *call) take(p []byte) {
	switch {
	case k.failed:
		k.dst = append(k.dst, p[:min(len(p), max(0, errorLength-len(k.dst)))]...)
	case !k.tooLarge:
		k.came += len(p)
		for len(p) > 0 {
			k.grow(min(len(p), growStep))
			part := p[:min(len(p), cap(k.dst)-len(k.dst))]
			k.dst = appendRead(k.dst, part)
			p = p[len(part):]
		}
	}
}

// room returns free space of dst.
func (k *call) room(n int) []byte {
	if k.tooLarge {
		return nil
	}
	if len(k.dst) == cap(k.dst) { // what is left does: each read would have it grow anew
		k.grow(min(n, growStep))
	}
	return k.dst[len(k.dst):cap(k.dst)]
}

// slot returns a slot for a call that can take answers, which are appended to dst.
func (m *mux) slot(dst []byte, out *outgoing, d *deadline) (*call, error) {
	if out.op == 0 {
		return nil, &CallError{out.op, PhaseQueue, NotProcessed, errControl}
	}
	if err := d.late(); err != nil {
		return nil, &CallError{out.op, PhaseQueue, NotProcessed, err}
	}
	m.mu.Lock()
	k, err := m.acquireFor(out, d)
	if err == nil {
		k.dst = dst
		if err = m.enter(k, out); err != nil {
			m.giveBack(k)
		}
	}
	m.mu.Unlock()
	if err != nil {
		return nil, &CallError{out.op, PhaseQueue, NotProcessed, err}
	}
	return k, nil
}

// call makes one call. The answer is appended to dst.
func (m *mux) call(dst []byte, out *outgoing, d *deadline) ([]byte, *os.File, error) {
	k, err := m.slot(dst, out, d)
	if err != nil {
		return nil, nil, err
	}
	return m.complete(k, d)
}

// complete sends the request of k, waits for the answer and gives the slot back.
func (m *mux) complete(k *call, d *deadline) ([]byte, *os.File, error) {
	phase := PhaseWait
	err := m.sendRequest(k, d)
	m.mu.Lock()
	if gaveUp(err) || err != nil && k.at == notSent {
		phase = PhaseWrite
	} else {
		// After another failure to write, what the server has sent before says more.
		err = m.wait(&k.waiter, d)
	}
	if err != nil {
		m.mu.Unlock()
		return nil, nil, m.giveUp(k, phase, err)
	}
	full := k.full
	b, file, err := k.answer()
	m.exit(k)
	if full != nil && err == nil {
		b = slices.Concat(append(full, b)...)
	}
	return b, file, err
}

// giveUp ends a call that has no answer, gives its slot back and says why it has none.
func (m *mux) giveUp(k *call, phase Phase, err error) error {
	if k.at != notSent {
		m.cancel(k)
	}
	err = m.callError(k, phase, err)
	m.mu.Lock()
	if k.file != nil {
		k.file.Close()
	}
	m.exit(k)
	return err
}

// gaveUp reports whether err says that the caller waits no longer.
func gaveUp(err error) bool { return err == ErrTimeout || err == context.Canceled }

func (m *mux) sendRequest(k *call, d *deadline) (err error) {
	h := header{kind: frameRequest, op: k.out.op, id: k.id, extra: d.budget()}
	if k.out.file {
		h.flags |= flagFile
		m.wire.expect()
	}
	if k.out.stream {
		h.flags |= flagStream
	}
	k.at, err = m.sendMessage(h, k.out.payload, d, k.crowd)
	return err
}

// cancel tells the server that nobody waits for k any more.
func (m *mux) cancel(k *call) {
	m.mu.Lock()
	k.active = false
	dead := m.err != nil
	m.mu.Unlock()
	if !dead {
		m.out.add(header{kind: frameCancel, id: k.id}, nil) // if it fails, the connection does
		m.out.push()
	}
}

// answer returns what the answer to k says, but for what is in full.
func (k *call) answer() ([]byte, *os.File, error) {
	if !k.tooLarge && !k.failed {
		return k.dst, k.file, nil
	}
	if k.file != nil {
		k.file.Close()
	}
	if k.tooLarge {
		return nil, nil, &CallError{k.out.op, PhaseRead, Answered, ErrTooLarge}
	}
	return nil, nil, k.failure()
}

// callError says what became of the request of k.
func (m *mux) callError(k *call, phase Phase, err error) error {
	e := &CallError{k.out.op, phase, NotProcessed, err}
	m.mu.Lock()
	defer m.mu.Unlock()
	if phase == PhaseWait && k.begun {
		e.Phase = PhaseRead
	}
	switch {
	case k.at == notSent:
	case m.away != nil && k.at >= m.processed: // the server says that it has not let the call in
		if !gaveUp(err) {
			e.Err = m.away
		}
	case m.err != nil && !m.out.left(k.at): // the connection was dead before any of it had left
	default:
		e.Outcome = MaybeProcessed
	}
	return e
}

// failure returns what an error answer says.
func (k *call) failure() error {
	remote, err := parseRemote(k.dst)
	if err != nil {
		return &CallError{k.out.op, PhaseRead, Answered, err}
	}
	return &CallError{k.out.op, PhaseWait, remote.outcome(), remote}
}

func (k *call) endStream() {
	switch {
	case k.stream == nil:
	case k.failed:
		k.stream.finish(k.failure())
	default:
		k.stream.finish(nil)
	}
}
