package lifecycle

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/errline"
)

// Reasons to start a server.
const (
	ReasonNotRunning = "not running"
	ReasonReplace    = "replaces an older server"
	ReasonWedged     = "replaces a server that does not answer"
	ReasonAsked      = "replaces a server on request"
)

// SpawnInfo tells the host's Spawn what to start, and how the started process tells that it is
// ready.
//
// The process must get the handle that [SpawnInfo.Inherit] adds, and call [OpenReadiness] with the
// text that Inherit returns, which mostly is one of its arguments. It must get nothing else of its
// starter:
//
//   - no terminal, input, output or other descriptor: whoever reads such a pipe waits for the
//     server's end;
//   - no session or process group: Ctrl-C would end the server;
//   - no current folder, which could not be removed: so paths in its arguments are absolute.
//
// All descriptors of this library stay behind by themselves.
type SpawnInfo struct {
	Endpoint ipc.Endpoint
	Reason   string
	// Replaced is the server that has made room; zero if there was none.
	Replaced Info

	ready *os.File // the end that the process writes to
}

// Readiness is the end of a started process that tells its starter how the start went. The zero
// value, and nil, tell nobody.
type Readiness struct{ f *os.File }

// OpenReadiness takes what [SpawnInfo.Inherit] returned; "" is a process that nobody waits for.
// Call it early: until then the handle would be passed on to what this process starts.
func OpenReadiness(text string) (*Readiness, error) {
	if text == "" {
		return nil, nil
	}
	handle, err := strconv.ParseUint(text, 10, 32)
	if err == nil {
		err = keepHere(uintptr(handle))
	}
	if err != nil {
		return nil, &os.PathError{Op: "lifecycle: open readiness handle", Path: text, Err: err}
	}
	return &Readiness{os.NewFile(uintptr(handle), "readiness")}, nil
}

const (
	readyLine = "ready"
	failedTag = "failed: "
	maxReply  = 4096
)

// Ready tells the starter that the server answers. Errors are of no interest: the starter
// may have gone.
func (r *Readiness) Ready() { r.tell(readyLine) }

// Fail tells the starter why there will be no server. nil tells that the process ends without one.
func (r *Readiness) Fail(err error) {
	text := "ended before it was ready"
	if err != nil {
		text = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	r.tell(failedTag + text[:min(len(text), maxReply-len(failedTag)-1)])
}

func (r *Readiness) tell(line string) {
	if r != nil && r.f != nil {
		r.f.WriteString(line + "\n")
		r.f.Close()
		r.f = nil
	}
}

// Why a started process is not known to be ready.
var (
	errExited = errors.New("the process exited before it was ready")
	errSilent = errors.New("the process ended, or closed or never got its handle (SpawnInfo.Inherit), before it was ready")
	errUntold = errors.New("the process has its handle and has not told that it is ready (Readiness.Ready)")
)

// readReply reads what the started process tells. It returns when that has told, has closed its
// handle or has ended, or when f is closed.
func readReply(f *os.File) error {
	line, err := bufio.NewReader(io.LimitReader(f, maxReply)).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	if cause, failed := strings.CutPrefix(line, failedTag); failed {
		return errors.New(cause)
	}
	if err != nil || line != readyLine {
		return errSilent
	}
	return nil
}

// awaitReady waits for the first news of a started process: nil if it is ready.
func awaitReady(ctx context.Context, f *os.File, exited <-chan error) error {
	reply := make(chan error, 1)
	go func() { reply <- readReply(f) }() // ended below, and waited for
	var err error
	select {
	case err = <-reply:
		f.Close()
		if err == errSilent {
			return exitOf(ctx, exited)
		}
		if err != nil {
			awaitExit(ctx, exited)
		}
		return err
	case err = <-exited:
		err = exitError(err)
		select {
		case told := <-reply:
			reply <- told
		case <-time.After(lookTime): // another process has got the handle
		case <-ctx.Done():
		}
	case <-ctx.Done():
		err = errline.Join(errUntold, context.Cause(ctx))
	}
	if told := endRead(f, reply); told != errSilent {
		return told // it told just before
	}
	return err
}

// awaitExit gives a process that has told of its failure a moment to complete its log.
func awaitExit(ctx context.Context, exited <-chan error) {
	if exited == nil {
		return
	}
	t := time.NewTimer(lookTime)
	defer t.Stop()
	select {
	case <-exited:
	case <-t.C:
	case <-ctx.Done():
	}
}

// exitOf waits for the exit that the silence announces.
func exitOf(ctx context.Context, exited <-chan error) error {
	if exited == nil {
		return errSilent
	}
	select {
	case err := <-exited:
		return exitError(err)
	case <-ctx.Done():
		return errline.Join(errSilent, context.Cause(ctx))
	}
}

func exitError(err error) error { return errline.Join(errExited, err) }
