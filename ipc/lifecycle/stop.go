package lifecycle

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/errline"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// Outcome is what [Stop] did.
type Outcome uint8

const (
	NotRunning Outcome = 1 + iota // there was no server
	Drained                       // it ended by itself: its calls were finished, or its own time for them was up
	Killed                        // it had to be ended
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case NotRunning:
		return "not running"
	case Drained:
		return "drained"
	case Killed:
		return "killed"
	}
	return "unknown"
}

// StopOptions are for [Stop]; nil and the zero value are the default.
type StopOptions struct {
	Reason  string // for the server and the events
	Version string // this program's version, at most 1 KiB

	// Kill ends a process, as in [Options]; nil ends nothing.
	Kill func(ctx context.Context, p ipc.Process) error

	ProbeTimeout time.Duration // for the server to answer; 0 is 2 s
	DrainTimeout time.Duration // for its calls to end; 0 is 30 s
	StopTimeout  time.Duration // for it to be gone after that, or after Kill; 0 is 10 s

	// Events gets what happens, from the goroutine of the caller; nil means nobody.
	Events func(ipc.Event)
}

// Stop makes the endpoint's server drain and returns when its claim is free and its process gone,
// so that the host's files may be moved away. While it runs nobody starts another. A server that
// does not answer, or does not end in time, is killed if StopOptions.Kill says how. To stop what
// does not run is no error, and to stop twice neither. When the time is up, or ctx ends, the error
// is a [*TimeoutError] and nothing is known.
func Stop(ctx context.Context, ep ipc.Endpoint, o *StopOptions) (Outcome, error) {
	if o == nil {
		o = new(StopOptions)
	}
	e, err := newEffort(ep, &Options{
		Version: o.Version, Kill: o.Kill, ProbeTimeout: o.ProbeTimeout, DrainTimeout: o.DrainTimeout,
		StopTimeout: o.StopTimeout, Events: o.Events,
	})
	if err != nil {
		return 0, err
	}
	limit := 2*e.o.ProbeTimeout + e.o.DrainTimeout + 2*e.o.StopTimeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	unlock, err := e.waitAlone(ctx)
	if errors.Is(err, fs.ErrNotExist) && !ep.Listening() {
		return NotRunning, nil // the folder is gone
	}
	if err != nil {
		return 0, err
	}
	defer unlock()
	return (&stopper{effort: e, reason: o.Reason}).stopAny(ctx)
}

// waitAlone waits for the start lock.
func (e *effort) waitAlone(ctx context.Context) (unlock func(), err error) {
	for {
		unlock, err := e.lockStart(ctx)
		if !errors.Is(err, ErrHeld) {
			return unlock, err
		}
		if sleep(ctx, lookAgainMax) != nil {
			return nil, e.timeout(ctx, err)
		}
	}
}

// stopper stops one server.
type stopper struct {
	*effort
	reason   string
	hadClaim bool // the target, before it was told to go
}

// stopAny stops the server that has the endpoint, once it is known which one that is. The caller holds the start lock.
func (s *stopper) stopAny(ctx context.Context) (Outcome, error) {
	var seen Info // who has had the claim
	for began := time.Now(); ; {
		if holder := holderOf(s.ep.Beside(claimSuffix)).Info; holder != (Info{}) {
			seen = holder
		}
		switch {
		case occupied(s.ep):
		case seen == (Info{}):
			return NotRunning, nil
		default:
			return s.stop(ctx, nil, seen, nil) // it ends by itself
		}
		server, c, err := s.look(ctx)
		if err != nil {
			return 0, err
		}
		if c != nil {
			return s.stop(ctx, c, infoOf(server.ServerInfo), nil)
		}
		switch {
		case server.State == ipc.Draining:
			return s.stop(ctx, nil, server.Holder, nil)
		case server.State == ipc.Starting && time.Since(began) < s.o.DrainTimeout, server.Probes < 2:
			continue // it may be about to answer
		}
		return s.stop(ctx, nil, server.Holder, server.Err)
	}
}

// stop asks the target to drain, through c if it answers, and ends it by force when that takes
// too long or wedged says why it cannot be asked. The caller holds the start lock.
func (s *stopper) stop(
	ctx context.Context, c *ipc.Client, target Info, wedged error,
) (Outcome, error) {
	event := ipc.Event{Server: target.Process.PID, Instance: target.Instance, Reason: s.reason}
	s.hadClaim = s.claimed(target)
	err := wedged
	if wedged == nil {
		if c != nil {
			event.Kind = EventStopAsked
			s.report(event)
			err = c.Shutdown(ctx, s.reason) // if it did not hear that, time will tell
			c.Close()
		}
		if err = s.gone(ctx, target, s.o.DrainTimeout+s.o.StopTimeout, err); err == nil {
			return s.stopped(event, Drained), nil
		}
	}
	if ctx.Err() != nil || s.o.Kill == nil || target.Process.Start == 0 {
		return 0, s.failed(ctx, target, err)
	}
	event.Kind = EventKill
	s.report(event)
	if target.Process.Alive() {
		err = s.o.Kill(ctx, target.Process)
	}
	if err = s.gone(ctx, target, s.o.StopTimeout, err); err != nil {
		return 0, s.failed(ctx, target, err)
	}
	return s.stopped(event, Killed), nil
}

func (s *stopper) stopped(event ipc.Event, o Outcome) Outcome {
	event.Kind, event.Reason = EventStopped, o.String()
	s.report(event)
	return o
}

func (s *stopper) failed(ctx context.Context, target Info, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return &TimeoutError{Endpoint: s.ep, Doing: "stop a server", Who: target, Err: err}
}

// gone waits until the target's claim is free and its process has ended. A target in this very
// process has only the claim to give up.
func (s *stopper) gone(ctx context.Context, target Info, limit time.Duration, last error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := lookAgainMin; s.there(target); pause = min(2*pause, lookAgainMax) {
		if err := sleep(ctx, pause); err != nil {
			return errline.Join(last, err)
		}
	}
	if target.Process.PID == os.Getpid() {
		return nil
	}
	return waitGone(ctx, target.Process, lookAgainMax)
}

// there reports whether the target still has the endpoint. Where it had the claim nothing else
// counts: a service manager may go on to listen.
func (s *stopper) there(target Info) bool {
	return s.claimed(target) || !s.hadClaim && s.ep.Listening()
}

// claimed reports whether the target, or a process that does not say who it is, holds the claim.
func (s *stopper) claimed(target Info) bool {
	path := s.ep.Beside(claimSuffix)
	holder := readRecord(path).Info
	return (holder == Info{} || holder.Process == target.Process) && filelock.Held(path)
}
