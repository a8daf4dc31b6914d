package lifecycle

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// lockStart makes this process the only one that starts or stops a server at the endpoint, until
// the function that it returns is called. The error is an [ErrHeld] if another one does.
func (e *effort) lockStart(ctx context.Context) (unlock func(), err error) {
	f, err := lockAlone(ctx, e.ep, startSuffix)
	if err != nil {
		return nil, err
	}
	r := record{Info: Info{Process: thisProcess(), Version: e.o.Version}}
	// Who only stops a server does so on a full disk, too: the lock alone decides.
	if err := r.write(f); err != nil && e.o.Spawn != nil {
		f.Close()
		return nil, err
	}
	e.alone = true
	unlock = func() {
		e.alone = false
		f.Truncate(0) // a record that stays is of no holder, and so of no consequence
		f.Close()
	}
	if e.o.Alone != nil {
		returned := false
		defer func() {
			if !returned { // it panics
				unlock()
			}
		}()
		e.o.Alone()
		returned = true
	}
	return unlock, nil
}

// occupied reports whether a server owns the endpoint or listens there.
func occupied(ep ipc.Endpoint) bool {
	return filelock.Held(ep.Beside(claimSuffix)) || ep.Listening()
}

// start starts a server unless another process is faster, in a folder that it makes if that is missing.
func (e *effort) start(ctx context.Context, info SpawnInfo) error {
	if e.o.Spawn == nil {
		return e.notRunning()
	}
	// The endpoint may be older than what has removed its folder.
	if _, err := ipc.NewEndpointIn(filepath.Dir(e.ep.Beside(""))); err != nil {
		return err
	}
	unlock, err := e.lockStart(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if occupied(e.ep) {
		return nil
	}
	return e.spawn(ctx, info)
}

// replace stops the server that was found, if it still is there and still to be replaced, and
// starts another.
func (e *effort) replace(ctx context.Context) error {
	unlock, err := e.lockStart(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if !occupied(e.ep) {
		return nil
	}
	s, c, err := e.look(ctx)
	if err != nil {
		return err
	}
	if c != nil {
		defer c.Close()
	}
	if e.decide(s) != ReplaceIt {
		return nil
	}
	if _, err := e.failures(); err != nil {
		return err // nothing could take its place
	}
	old, reason := e.replaced(s)
	st := &stopper{effort: e, reason: reason}
	if _, err := st.stop(ctx, c, old, s.Err); err != nil {
		return err
	}
	e.report(ipc.Event{Kind: EventReplacing, Old: old.Process.PID, Instance: old.Instance,
		Reason: reason, Link: old.Instance})
	return e.spawn(ctx, SpawnInfo{Reason: reason, Replaced: old})
}

// replaced says which server is replaced and why.
func (e *effort) replaced(s ServerInfo) (Info, string) {
	switch {
	case s.Err != nil:
		return s.Holder, ReasonWedged
	case e.forced:
		return infoOf(s.ServerInfo), ReasonAsked
	}
	return infoOf(s.ServerInfo), ReasonReplace
}

var errGone = errors.New("no server that was started has stayed")

// spawn starts a server and waits until it is ready. The caller holds the start lock.
func (e *effort) spawn(ctx context.Context, info SpawnInfo) error {
	remembered, err := e.failures()
	if err != nil {
		return err
	}
	if (e.started > 0 || e.beaten) && readRecord(e.ep.Beside(claimSuffix)) != (record{}) {
		e.gone++ // the last one has not given up its claim: nobody has stopped it
	}
	if e.started == 0 {
		e.before = remembered
	}
	if e.gone == maxStarts {
		return e.failed(info, e.before, errGone)
	}
	began := time.Now()
	e.logged = sizeOf(e.o.Log)
	err = e.launch(ctx, info)
	switch {
	case err == nil:
		e.started++
		e.ready(info, time.Since(began))
		return clearFailures(e.ep.Beside(failureSuffix))
	case occupied(e.ep):
		if ctx.Err() != nil {
			return e.timeout(ctx, err) // it is late, not dead
		}
		// Another one was faster, and what we started has noticed; or that is dying, and its claim goes last.
		e.beaten = true
		return nil
	case ctx.Err() != nil && time.Since(began) < e.o.Timeout/2:
		return e.timeout(ctx, err) // the caller gave up; that is no failure of the server
	case short(err):
		return err // nor is this
	}
	return e.failed(info, remembered, err)
}

// failed remembers one more failure, and quotes what the last server has written.
func (e *effort) failed(info SpawnInfo, remembered failures, cause error) error {
	err := &StartError{e.ep, cause, tailOf(e.o.Log, e.logged)}
	e.report(ipc.Event{Kind: EventSpawnFailed, Reason: info.Reason, Err: err,
		Count: int64(remembered.count) + 1})
	return errors.Join(err, remembered.add(time.Now(), err).write(e.ep.Beside(failureSuffix)))
}

// failures returns what is remembered of the last starts, or an error if it is too early for
// another one.
func (e *effort) failures() (failures, error) {
	f := readFailures(e.ep.Beside(failureSuffix))
	wait := f.wait(time.Now())
	if wait == 0 {
		return f, nil
	}
	err := &BackoffError{e.ep, f.count, f.cause, wait}
	e.report(ipc.Event{Kind: EventBackoff, Count: int64(f.count), Err: err})
	return f, err
}

// launch has the host start a process and waits for its news.
func (e *effort) launch(ctx context.Context, info SpawnInfo) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	info.Endpoint, info.ready = e.ep, w
	e.report(ipc.Event{Kind: EventSpawnAttempt, Reason: info.Reason,
		Old: info.Replaced.Process.PID})
	exited, err := e.o.Spawn(ctx, info)
	w.Close()
	if err != nil {
		r.Close()
		return err
	}
	e.report(ipc.Event{Kind: EventSpawned, Reason: info.Reason})
	return awaitReady(ctx, r, exited)
}

// ready reports the new server.
func (e *effort) ready(info SpawnInfo, took time.Duration) {
	now := readRecord(e.ep.Beside(claimSuffix)).Info
	event := ipc.Event{Kind: EventReady, Server: now.Process.PID, Instance: now.Instance,
		Old: info.Replaced.Process.PID, Reason: info.Reason, Took: took}
	e.report(event)
	if info.Replaced != (Info{}) {
		event.Kind, event.Link = EventReplaced, info.Replaced.Instance
		e.report(event)
	}
}

// maxTail is how much of a log goes into an error.
const maxTail = 2048

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// tailOf is the end of what was written to a log after its first bytes.
func tailOf(path string, after int64) string {
	f, err := os.Open(path)
	if path == "" || err != nil {
		return ""
	}
	defer f.Close()
	size := sizeOf(path)
	if size < after {
		after = 0 // it was rotated
	}
	after = max(after, size-maxTail)
	b, err := io.ReadAll(io.NewSectionReader(f, after, maxTail))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
