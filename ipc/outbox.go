package ipc

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	largeFrame  = 16 << 10 // from here on a payload is written from where it lies
	outboxRoom  = 32 << 10 // beyond it, writers wait for the turn
	outboxShare = 4 << 10  // the same while others wait, so that they are not overtaken without end
	outboxCrowd = 2 << 20  // beyond it, answers of fast handlers wait for the turn too
	outboxLimit = 4 << 20  // beyond it, the other end reads too slowly to be told anything
	keptOutbox  = 64 << 10 // a larger buffer is not kept
	keptMessage = 4 << 20  // to copy more of a message takes milliseconds
	maxRounds   = 16       // writes in a row by one caller for all

	notSent = -1 // the place of a frame that was not added
)

// outbox writes frames in the order in which they are added. Small frames are copied to a
// buffer and whoever has the turn writes it, so that the frames of many callers go out in one
// system call. Only a writer itself waits for a slow peer, and until its deadline: what it has not
// written by then a goroutine writes, which ends when that is done or the connection closes.
type outbox struct {
	wire       *wire
	stall      time.Duration   // a write that makes no progress for so long fails; 0 is for ever
	background *sync.WaitGroup // what the connection's end waits for

	turn    chan struct{} // holds one token, which is the right to write
	waiting atomic.Int32  // goroutines that wait for it
	dead    atomic.Bool   // err is set

	mu      sync.Mutex
	buf     []byte // complete frames that wait
	err     error  // the connection is dead: nothing more is written
	added   int64  // bytes of the connection that were added
	written int64  // of these, that have left
	leaving int64  // up to here they may have left with the write that is under way

	// With the turn:
	rest  []byte // of what a write has left unfinished; goes out before all else
	spare []byte
	head  [headerSize]byte // of a large frame
}

func (o *outbox) open(w *wire, stall time.Duration, wg *sync.WaitGroup) {
	o.wire, o.stall, o.background = w, stall, wg
	o.turn = make(chan struct{}, 1)
}

// add adds one small frame without waiting for anything. Someone must call flush or push
// afterwards.
func (o *outbox) add(h header, payload []byte) (at int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return notSent, o.err
	}
	if len(o.buf) > outboxLimit {
		return notSent, errUnread
	}
	return o.append(h, payload), nil
}

// crowded reports whether so much waits that who can wait should not add to it.
func (o *outbox) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf) > outboxCrowd
}

func (o *outbox) append(h header, payload []byte) (at int64) {
	at = o.added
	o.buf = append(appendHeader(o.buf, h), payload...)
	o.added += headerSize + int64(len(payload))
	return at
}

// addSoon is add, unless the buffer is full because the peer does not read.
func (o *outbox) addSoon(h header, payload []byte) (at int64, full bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	room := outboxRoom
	if o.waiting.Load() > 0 {
		room = outboxShare
	}
	if o.err != nil || len(o.buf) > room {
		return notSent, true, o.err
	}
	return o.append(h, payload), false, nil
}

// addRaw adds bytes that are no frame: hello and acknowledgement.
func (o *outbox) addRaw(p []byte) {
	o.mu.Lock()
	o.buf = append(o.buf, p...)
	o.added += int64(len(p))
	o.mu.Unlock()
}

// send writes a frame, or leaves a small one to whoever has the turn. It waits until d at the
// longest. at is where the frame lies in the connection, notSent when it never will be there.
func (o *outbox) send(h header, payload []byte, d *deadline, crowd bool) (at int64, err error) {
	if len(payload) > largeFrame {
		return o.sendLarge(h, payload, d)
	}
	at, full, err := o.addSoon(h, payload)
	switch {
	case err != nil:
		return notSent, err
	case !full && !o.tryTake():
		return at, nil
	case !full:
		if crowd {
			o.gather(at + headerSize + int64(len(payload)))
		}
		return at, o.flush(d)
	}
	return o.sendLarge(h, payload, d) // with the turn it is written at once, however much waits before it
}

// gather lets others add frames behind end, so that one write takes them all. A goroutine that
// yields can be back before all of them have run, for the scheduler looks past its own queue at
// each 61st switch: so where some have come, more may come.
func (o *outbox) gather(end int64) {
	runtime.Gosched()
	o.mu.Lock()
	some := o.added > end
	o.mu.Unlock()
	if some {
		runtime.Gosched()
	}
}

func (o *outbox) sendLarge(h header, payload []byte, d *deadline) (at int64, err error) {
	if err := o.take(d); err != nil {
		return notSent, err
	}
	at, err = o.write(d, appendHeader(o.head[:0], h), payload)
	if err != nil {
		return at, o.leaveTo(d, err)
	}
	return at, o.flush(d)
}

// left reports whether a byte from there on may have left.
func (o *outbox) left(at int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return at != notSent && at < max(o.written, o.leaving)
}

// sendFile writes a frame with the descriptor of f beside it. d must have no end.
func (o *outbox) sendFile(h header, payload []byte, f *os.File, d *deadline) error {
	if err := o.take(d); err != nil {
		return err
	}
	if err := o.writeBeside(d, append(appendHeader(nil, h), payload...), f); err != nil {
		o.settle(err)
		return err
	}
	return o.flush(d)
}

// writeBeside writes what waits and then a frame, with whose first byte the descriptor of f travels. What others add
// meanwhile comes behind the frame: a descriptor is taken by whoever reads the bytes that it came with.
func (o *outbox) writeBeside(d *deadline, frame []byte, f *os.File) error {
	batch, _, err := o.batch(len(frame))
	if err != nil {
		return err
	}
	n, err := o.writeAll(d, batch, nil, nil)
	if err == nil {
		err = o.wire.attach(f)
	}
	if err == nil {
		var m int
		m, err = o.writeAll(d, frame, nil, nil)
		n += m
	}
	o.wrote(n, err)
	return err // nothing is kept of what has not left: without an end of d, an error is that of the connection
}

// take waits for the turn.
func (o *outbox) take(d *deadline) error {
	if o.tryTake() {
		return nil
	}
	o.waiting.Add(1)
	defer o.waiting.Add(-1)
	timeout, stop := d.timer()
	defer stop()
	select {
	case o.turn <- struct{}{}:
		return nil
	case <-timeout:
		return ErrTimeout
	case <-d.done():
		return d.err()
	}
}

func (o *outbox) tryTake() bool {
	select {
	case o.turn <- struct{}{}:
		return true
	default:
		return false
	}
}

func (o *outbox) release() { <-o.turn }

// flush writes all that waits and gives back the turn, which the caller has.
func (o *outbox) flush(d *deadline) error {
	for range maxRounds {
		if _, err := o.write(d, nil, nil); err != nil {
			return o.leaveTo(d, err)
		}
		if o.leave() {
			return nil
		}
	}
	o.settle(ErrTimeout) // enough written for others
	return nil
}

// leave gives back the turn unless there is more to write.
func (o *outbox) leave() bool {
	o.release()
	o.mu.Lock()
	more := len(o.buf) > 0
	o.mu.Unlock()
	// Who added a frame in between and got the turn writes it.
	return !more || !o.tryTake()
}

// push writes what the system takes at once, and leaves the rest to a goroutine. A reader calls it:
// a reader never waits for a writer.
func (o *outbox) push() {
	if !o.tryTake() {
		return
	}
	if _, err := o.write(nil, nil, nil); err != nil {
		o.settle(err)
	} else if !o.leave() {
		o.settle(ErrTimeout)
	}
}

// leaveTo gives away the turn after a write that failed or was not done by d, and returns the error for its caller.
// On a system whose interrupted writes do not tell how much has left, no write is interrupted: a goroutine goes on with
// it, and the caller waits for that until d.
func (o *outbox) leaveTo(d *deadline, err error) error {
	if err != ErrTimeout || tellsSent {
		o.settle(err)
		return err
	}
	done := o.settle(err)
	timeout, stop := d.timer()
	defer stop()
	select {
	case <-done:
		return o.death()
	case <-timeout:
		return ErrTimeout
	case <-d.done():
		return d.err()
	}
}

// settle gives away the turn after a write that ended with err: to a goroutine that writes the rest
// if only the time was up. Any other error ends the writing for good, though what the peer has sent
// can still be read. done is closed when that goroutine has ended, or there is none.
func (o *outbox) settle(err error) (done chan struct{}) {
	done = make(chan struct{})
	if err != ErrTimeout && err != context.Canceled {
		o.close(err)
		o.release()
		if err == ErrWedged {
			o.wire.f.SetReadDeadline(longAgo) // who reads learns it now
		}
		close(done)
		return done
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		o.release()
		close(done)
		return done
	}
	o.background.Go(func() {
		defer close(done)
		o.flush(&deadline{})
	})
	return done
}

// write writes what waits and then head and payload. A nil deadline does not wait at all.
// On an ErrTimeout what could not be written is kept, or nothing more is written.
func (o *outbox) write(d *deadline, head, payload []byte) (at int64, err error) {
	batch, at, err := o.batch(len(head) + len(payload))
	if err != nil || len(batch)+len(head)+len(payload) == 0 {
		return notSent, err
	}
	n, err := o.writeAll(d, batch, head, payload)
	o.wrote(n, err)
	if n < len(batch)+len(head)+len(payload) {
		if tellsSent && gaveUp(err) && len(skip(n-len(batch)-len(head), payload)) > keptMessage {
			o.close(io.ErrShortWrite) // there is no time left to copy it
		} else {
			o.keep(n, batch, head, payload)
		}
	} else if len(batch) > 0 && cap(batch) <= keptOutbox {
		o.spare = batch[:0] // an empty batch was not taken: it is still the buffer
	}
	return at, err
}

// wrote counts what has left with a write that is over.
func (o *outbox) wrote(n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.written += int64(n)
	if !moreSent(err) { // else the other end may have run what it has read
		o.leaving = 0
	}
}

// batch takes what waits, with the rest of the last write before it, and adds n bytes that
// are written with it.
func (o *outbox) batch(n int) (batch []byte, at int64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return nil, notSent, o.err
	}
	batch, at = o.buf, o.added
	o.added += int64(n)
	o.leaving = o.added // who has read them may answer, or die, before the write returns
	if len(o.rest) > 0 {
		batch = append(o.rest, batch...)
		o.rest, o.buf = nil, o.buf[:0]
	} else if len(batch) > 0 {
		o.buf, o.spare = o.spare[:0], nil
	}
	return batch, at, nil
}

// keep copies what was not written: the payload is the caller's.
func (o *outbox) keep(n int, parts ...[]byte) {
	var rest []byte
	for _, p := range parts {
		cut := min(n, len(p))
		rest = append(rest, p[cut:]...)
		n -= cut
	}
	o.rest = rest
}

// writeAll tries without a deadline first: to set one costs more than the attempt, and nearly
// every write ends at once.
func (o *outbox) writeAll(d *deadline, a, b, c []byte) (n int, err error) {
	n, err = o.wire.write(false, a, b, c)
	if err != nil || n == len(a)+len(b)+len(c) {
		return n, err
	}
	if d == nil || !tellsSent && !d.endless() {
		return n, ErrTimeout
	}
	m, err := o.writeSlowly(d, skip(n, a), skip(n-len(a), b), skip(n-len(a)-len(b), c))
	return n + m, err
}

func skip(n int, p []byte) []byte { return p[min(max(n, 0), len(p)):] }

// writeSlowly waits for the peer until d, as long as it takes a byte now and then.
func (o *outbox) writeSlowly(d *deadline, a, b, c []byte) (n int, err error) {
	f, writing := o.wire.f, true
	stop := d.onCancel(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if writing {
			f.SetWriteDeadline(longAgo)
		}
	})
	defer func() {
		stop()
		o.mu.Lock()
		defer o.mu.Unlock()
		writing = false
		f.SetWriteDeadline(time.Time{})
	}()
	total := len(a) + len(b) + len(c)
	for n < total {
		at := d.at
		if o.stall > 0 {
			at = earlier(at, time.Now().Add(o.stall))
		}
		f.SetWriteDeadline(at)
		if err := d.ended(); err != nil {
			return n, err
		}
		m, err := o.wire.write(true, skip(n, a), skip(n-len(a), b), skip(n-len(a)-len(b), c))
		n += m
		switch {
		case err == nil:
			continue
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		}
		if err := d.err(); err != nil {
			return n, err
		}
		if m == 0 {
			return n, ErrWedged
		}
	}
	return n, nil
}

// drain waits until all that was added is written.
func (o *outbox) drain(d *deadline) {
	if o.take(d) == nil {
		o.flush(d)
	}
}

// death returns why nothing more is written, nil if it is.
func (o *outbox) death() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// close lets nothing more be written.
func (o *outbox) close(err error) {
	o.mu.Lock()
	if o.err == nil {
		o.err, o.buf = err, nil
		o.dead.Store(true)
	}
	o.mu.Unlock()
}
