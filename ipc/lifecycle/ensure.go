package lifecycle

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// Ensure returns a client of the endpoint's server, and sees to it that there is one: it looks for
// a server, decides about the one that it has found, starts one if there is none, or replaces the
// one that there is. Any number of processes may do so at once and one server is started. When the
// client has to connect again, after the server's idle exit or an upgrade, it goes through all this
// again. ctx and Options.Timeout, whichever ends first, bound it all.
//
// The errors are a [*StartError], [*BackoffError], [*RefusedError], [*TimeoutError], an
// [ipc.ErrNotRunning] without Spawn, or a fault of the caller, such as no permission, at once.
func Ensure(ctx context.Context, ep ipc.Endpoint, o *Options) (*ipc.Client, error) {
	e, err := newEffort(ep, o)
	if err != nil {
		return nil, err
	}
	return e.client(ctx)
}

// Replace is [Ensure], but stops the server that runs when it is called, whatever its version.
func Replace(ctx context.Context, ep ipc.Endpoint, o *Options) (*ipc.Client, error) {
	e, err := newEffort(ep, o)
	if err != nil {
		return nil, err
	}
	e.forced = true
	return e.client(ctx)
}

// Pauses between two looks.
const (
	lookAgainMin = time.Millisecond
	lookAgainMax = 50 * time.Millisecond
	maxStarts    = 3 // by one call: servers may be stopped, or die, as soon as they run
)

// effort is one call of Ensure.
type effort struct {
	reporter
	o       Options
	forced  bool // replace whichever server is found first
	first   identity
	last    trouble
	probes  int      // looks that ended in this trouble
	started int      // servers that got ready
	beaten  bool     // one did not, and somebody had the endpoint
	gone    int      // of those that have had it, the ones that have died by themselves
	before  failures // before any server that this call has started got ready, which has them forgotten
	logged  int64    // size of the log when the last server was about to be started
	alone   bool     // this process holds the start lock
}

func newEffort(ep ipc.Endpoint, o *Options) (*effort, error) {
	if ep == (ipc.Endpoint{}) {
		return nil, errNoEndpoint
	}
	c, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &effort{reporter: reporter{ep, c.Version, c.Executable, c.Events}, o: c}, nil
}

func (e *effort) client(ctx context.Context) (*ipc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	return e.find(ctx)
}

// redial is for clients: it makes sure that there is a server and connects to it. A server that is
// stopped or replaced in between is looked for again.
func (e *effort) redial(ctx context.Context) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	for {
		again := &effort{reporter: e.reporter, o: e.o} // which forces nothing and has not started anything
		c, err := again.client(ctx)
		if err != nil {
			return nil, err
		}
		c.Close()
		f, err := e.ep.Dial(ctx)
		if !errors.Is(err, ipc.ErrNotRunning) {
			return f, err
		}
	}
}

func (e *effort) find(ctx context.Context) (*ipc.Client, error) {
	for pause := lookAgainMin; ; pause = min(2*pause, lookAgainMax) {
		s, c, err := e.look(ctx)
		if err != nil {
			return nil, err
		}
		d := e.decide(s)
		if d == UseIt {
			return c, nil
		}
		if c != nil {
			c.Close()
		}
		switch d {
		case RefuseIt:
			return nil, &RefusedError{e.ep, s, e.o.Version}
		case ReplaceIt:
			err = e.replace(ctx)
		case start:
			err = e.start(ctx, SpawnInfo{Reason: ReasonNotRunning})
		}
		if err != nil && !errors.Is(err, ErrHeld) {
			return nil, err
		}
		if sleep(ctx, 1+rand.N(pause)) != nil {
			return nil, e.timeout(ctx, s.Err)
		}
	}
}

// start is the decision when no server is there.
const start = RefuseIt + 1

// decide asks the host, unless there is nothing to ask.
func (e *effort) decide(s ServerInfo) Decision {
	var d Decision
	switch {
	case errors.Is(s.Err, ipc.ErrNotRunning):
		e.forced = false // what comes now is younger than the call
		return start
	case e.forced && e.started == 0 && e.first == e.last.identity:
		d = forced(s)
	case e.started > 0 && s.State == ipc.Starting:
		return WaitForIt
	default:
		d = e.o.Decide(s)
	}
	if d == UseIt && s.Err != nil {
		return WaitForIt // there is no connection to use
	}
	if d == ReplaceIt && (e.o.Spawn == nil || e.started >= maxStarts) {
		return RefuseIt // nothing can take its place, or none that this call has started would do
	}
	return d
}

// forced decides to replace a server that could be used otherwise.
func forced(s ServerInfo) Decision {
	if s.State != ipc.Ready || s.Err != nil && s.Probes < 2 {
		return WaitForIt
	}
	return ReplaceIt
}

// timeout says what was waited for.
func (e *effort) timeout(ctx context.Context, last error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	t := &TimeoutError{Endpoint: e.ep, Doing: "look for a server", Err: last}
	switch {
	case !e.alone && filelock.Held(e.ep.Beside(startSuffix)):
		t.Doing = "wait for another process to start a server"
		t.Who = readRecord(e.ep.Beside(startSuffix)).Info
	case filelock.Held(e.ep.Beside(claimSuffix)):
		t.Doing = "wait for a server to answer"
		t.Who = readRecord(e.ep.Beside(claimSuffix)).Info
	}
	return t
}
