package ipc

import (
	"context"
	"time"
)

// longAgo is a deadline that interrupts a read or a write at once.
var longAgo = time.Unix(1, 0)

// deadline is until when something may wait. The zero value waits for ever.
type deadline struct {
	at  time.Time
	ctx context.Context // nil if it can never be cancelled
	now time.Time       // what the clock said last: a call that has not waited need not ask again
}

// deadlineOf returns that of ctx; fallback counts from now if it has none, 0 is for ever.
func deadlineOf(ctx context.Context, fallback time.Duration) deadline {
	d := deadline{now: now()}
	if ctx.Done() != nil {
		d.ctx = ctx
	}
	if at, ok := ctx.Deadline(); ok {
		d.at = at
		if at == at.Round(0) { // a time of the system's clock, which may have been set since ours began
			d.at = d.now.Add(time.Until(at))
		}
	} else if fallback > 0 {
		d.at = d.now.Add(fallback)
	}
	return d
}

// done is closed when the wait is cancelled; nil if it never is.
func (d *deadline) done() <-chan struct{} {
	if d.ctx == nil {
		return nil
	}
	return d.ctx.Done()
}

// ended says why the context has ended, nil if it has not. It may end before its deadline, or have none.
func (d *deadline) ended() error {
	if d.ctx == nil {
		return nil
	}
	switch d.ctx.Err() {
	case nil:
		return nil
	case context.Canceled:
		return context.Canceled
	}
	return ErrTimeout
}

// endless reports whether nothing ever ends the wait.
func (d *deadline) endless() bool { return d.at.IsZero() && d.ctx == nil }

// timer returns a channel that gets something when the time is up, nil if it never is, and a function that stops the
// timer behind it.
func (d *deadline) timer() (up <-chan time.Time, stop func() bool) {
	if d.at.IsZero() {
		return nil, never
	}
	t := time.NewTimer(time.Until(d.at))
	return t.C, t.Stop
}

// err returns why the wait must end, nil if it need not.
func (d *deadline) err() error { return d.endedBy(now()) }

// late is err for what is about to begin: it does not ask the clock again.
func (d *deadline) late() error { return d.endedBy(d.now) }

func (d *deadline) endedBy(now time.Time) error {
	if err := d.ended(); err != nil {
		return err
	}
	if !d.at.IsZero() && !now.Before(d.at) {
		return ErrTimeout
	}
	return nil
}

// onCancel calls f when the wait is cancelled. The function it returns ends that, without
// waiting for an f that runs.
func (d *deadline) onCancel(f func()) (stop func() bool) {
	if d.ctx == nil {
		return never
	}
	return context.AfterFunc(d.ctx, f)
}

func never() bool { return false }

// budget is the time left in whole milliseconds, rounded up, as it travels in a request.
func (d *deadline) budget() uint32 {
	if d.at.IsZero() {
		return 0
	}
	left := (max(d.at.Sub(d.now), 1)-1)/time.Millisecond + 1 // no sum beyond a time that is as long as can be
	return uint32(min(left, 1<<32-1))
}

// earlier returns the earlier of two times, of which the zero time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
