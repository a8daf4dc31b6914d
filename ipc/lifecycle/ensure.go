package lifecycle

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"syscall"
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
	maxStarts    = 3 // by one call: servers may be stopped as soon as they run
)

// effort is one call of Ensure.
type effort struct {
	reporter
	o       Options
	forced  bool // replace whichever server is found first
	first   identity
	last    trouble
	probes  int // looks that ended in this trouble
	started int
	alone   bool // this process holds the start lock
}

// identity tells servers apart, whether they answer or not.
type identity struct {
	instance string
	process  ipc.Process
}

// trouble is what makes two looks alike.
type trouble struct {
	identity
	answered bool
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

// again is a new effort for the same purpose, but not by force.
func (e *effort) again() *effort {
	return &effort{reporter: e.reporter, o: e.o}
}

func (e *effort) client(ctx context.Context) (*ipc.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	return e.find(ctx)
}

// redial is for clients: it makes sure that there is a server and connects to it. A server that is stopped or
// replaced in between is looked for again.
func (e *effort) redial(ctx context.Context) (*os.File, error) {
	for {
		c, err := e.again().client(ctx)
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
			return nil, &RefusedError{e.ep, s}
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
		return start
	case e.forced && e.started == 0 && e.first == e.last.identity:
		d = forced(s)
	case e.started > 0 && s.State == ipc.Starting:
		return WaitForIt
	default:
		d = e.o.Decide(s)
	}
	if d == ReplaceIt && (e.o.Spawn == nil || e.started >= maxStarts) {
		return RefuseIt // nothing would take its place, or nothing that is ever wanted
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

// look probes the endpoint. The error says that there is no point in going on.
func (e *effort) look(ctx context.Context) (ServerInfo, *ipc.Client, error) {
	probe, cancel := context.WithTimeout(ctx, e.o.ProbeTimeout)
	defer cancel()
	var s ServerInfo
	c, status, err := e.ask(probe)
	holder := holderOf(e.ep.Beside(claimSuffix))
	switch {
	case err == nil:
		s.ServerInfo = status.ServerInfo
	case ctx.Err() != nil:
		return s, nil, e.timeout(ctx, err)
	case fault(err):
		return s, nil, err
	case !errors.Is(err, ipc.ErrNotRunning):
		e.report(ipc.Event{Kind: EventUnanswered, Server: holder.Process.PID,
			Instance: holder.Instance, Err: err})
		s.State = e.stateOf(holder)
	}
	s.Err, s.Holder = err, holder.Info
	e.count(&s)
	return s, c, nil
}

// ask connects and asks for the status.
func (e *effort) ask(ctx context.Context) (*ipc.Client, ipc.Status, error) {
	var o ipc.ClientOptions
	if e.o.Client != nil {
		o = *e.o.Client
	}
	o.Redial = e.redial
	c, err := ipc.Dial(ctx, e.ep, &o)
	if err != nil {
		return nil, ipc.Status{}, err
	}
	status, err := c.Status(ctx)
	if err != nil {
		c.Close()
		return nil, status, err
	}
	return c, status, nil
}

// fault reports whether trying again cannot help, or the trouble is this process's own: one that
// is short of descriptors learns nothing about the server.
func fault(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) || short(err)
}

// short reports whether this process, or the machine, is short of something.
func short(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// stateOf says what a server does that does not answer: what its claim says, unless somebody is
// about to start or replace it.
func (e *effort) stateOf(holder record) ipc.State {
	switch {
	case holder.stage == draining:
		return ipc.Draining
	case holder.stage == claimed, !e.alone && filelock.Held(e.ep.Beside(startSuffix)):
		return ipc.Starting
	}
	return ipc.Ready
}

// count counts the looks that ended alike.
func (e *effort) count(s *ServerInfo) {
	now := trouble{identity{s.Instance, s.Process}, s.Err == nil}
	if s.Err != nil {
		now.identity = identity{s.Holder.Instance, s.Holder.Process}
	}
	if now != e.last {
		e.last, e.probes = now, 0
	}
	if e.first == (identity{}) && !errors.Is(s.Err, ipc.ErrNotRunning) {
		e.first = now.identity
	}
	e.probes++
	s.Probes = e.probes
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
