package lifecycle

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// identity tells servers apart, whether they answer or not.
type identity struct {
	instance string
	process  ipc.Process
}

// trouble is what a look has found: two looks that found the same ended alike.
type trouble struct {
	identity
	state    ipc.State
	answered bool
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
	if err := e.awaitListener(ctx); err != nil {
		return nil, ipc.Status{}, err
	}
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

// awaitListener waits until somebody listens or nobody is about to. A dial would take the start lock
// that this process has for a server on its way, and wait for that.
func (e *effort) awaitListener(ctx context.Context) error {
	for e.alone && !e.ep.Listening() {
		if !filelock.Held(e.ep.Beside(claimSuffix)) {
			return e.notRunning()
		}
		if sleep(ctx, lookPauseMax) != nil {
			break // the dial says so
		}
	}
	return nil
}

func (e *effort) notRunning() error {
	return &fs.PathError{Op: "lifecycle: find server", Path: e.ep.String(), Err: ipc.ErrNotRunning}
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
	// The claim says the same before the server answers and after. The server itself may say
	// another instance.
	now := trouble{identity{s.Holder.Instance, s.Holder.Process}, s.State, s.Err == nil}
	if s.Err == nil && s.Holder == (Info{}) {
		now.identity = identity{s.Instance, s.Process}
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
