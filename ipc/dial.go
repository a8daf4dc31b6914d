package ipc

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/larderbuild/larder/ipc/internal/errline"
	"github.com/larderbuild/larder/ipc/internal/filelock"
)

// ErrNotRunning says that nobody listens at the endpoint and nobody is about to. It is an
// [fs.ErrNotExist].
var ErrNotRunning error = notRunning{}

type notRunning struct{}

func (notRunning) Error() string        { return "ipc: no server is running" }
func (notRunning) Is(target error) bool { return target == fs.ErrNotExist }

// Connecting is tried again after pauses between these bounds.
const (
	connectPauseMin = time.Millisecond
	connectPauseMax = 50 * time.Millisecond
)

// The platform's connect returns these where another attempt may succeed.
var (
	errFull   = errors.New("too many clients wait")       // somebody listens
	errAbsent = errors.New("nobody listens at this name") // or not yet
)

// Dial connects to the endpoint and does not check who answers: for ClientOptions.Redial. It tries
// again while the server has no room for one more client, and while nobody listens but somebody
// holds the endpoint's claim or starts a server, until ctx ends. It returns an [ErrNotRunning] when
// there is no server.
func (e Endpoint) Dial(ctx context.Context) (*os.File, error) {
	if e == (Endpoint{}) {
		return nil, errNoEndpoint
	}
	for pause := connectPauseMin; ; pause = min(2*pause, connectPauseMax) {
		f, err := e.connect()
		if err == nil {
			if err = context.Cause(ctx); err == nil {
				return f, nil
			}
			f.Close()
		}
		if errors.Is(err, errAbsent) && !e.expected() {
			return nil, &os.PathError{Op: "ipc: dial", Path: e.addr, Err: ErrNotRunning}
		}
		if !errors.Is(err, errAbsent) && !errors.Is(err, errFull) {
			return nil, &os.PathError{Op: "ipc: dial", Path: e.addr, Err: err}
		}
		// A random pause parts clients that were turned away together.
		if !sleep(1+rand.N(pause), ctx.Done()) {
			return nil, &os.PathError{Op: "ipc: dial", Path: e.addr,
				Err: errline.Join(context.Cause(ctx), err)}
		}
	}
}

// Listening reports whether somebody listens at the endpoint now. It says nothing about who that is
// and whether it answers; a claim uses it so as not to cut off a server whose lock file was
// deleted.
func (e Endpoint) Listening() bool {
	f, err := e.connect()
	if err == nil {
		f.Close()
	}
	return err == nil || errors.Is(err, errFull)
}

// expected reports whether somebody listens at the endpoint or is on the way to.
func (e Endpoint) expected() bool {
	return filelock.Held(e.Beside(claimSuffix)) || filelock.Held(e.Beside(startSuffix))
}

// sleep reports whether the time has passed before end was closed.
func sleep(d time.Duration, end <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-end:
		return false
	}
}
