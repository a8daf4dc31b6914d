package lifecycle

import (
	"context"
	"os"
	"strconv"

	"github.com/larderbuild/larder/ipc"
)

// StartError says that a server was started and did not get ready, or that several did and none
// has stayed.
type StartError struct {
	Endpoint ipc.Endpoint
	Err      error  // the error of Spawn, of the exit, or what the server said
	Log      string // the end of what it wrote to its log
}

// Error quotes the log.
func (e *StartError) Error() string {
	text := "lifecycle: start server of " + e.Endpoint.String() + ": " + e.Err.Error()
	if e.Log != "" {
		text += "; its log ends in:\n" + e.Log
	}
	return text
}

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// RefusedError says that a server runs that is not to be used: Decide does not want it touched, or
// wants it replaced and there is no Spawn. It wraps ServerInfo.Err.
type RefusedError struct {
	Endpoint ipc.Endpoint
	Server   ServerInfo
	Version  string // of this program
}

// Error names the server, and why it does not answer if it does not, or else this program's version.
func (e *RefusedError) Error() string {
	who, why := infoOf(e.Server.ServerInfo), ""
	switch {
	case e.Server.Err != nil:
		who, why = e.Server.Holder, ": "+e.Server.Err.Error()
	case e.Version != who.Version:
		why = "; this program is version " + strconv.Quote(e.Version)
	}
	return "lifecycle: use server of " + e.Endpoint.String() + ": refused: " + who.String() + why
}

// Unwrap returns why the server did not answer; nil if it did.
func (e *RefusedError) Unwrap() error { return e.Server.Err }

// TimeoutError says what was waited for when the time was up. It is an [os.ErrDeadlineExceeded] and
// a [context.DeadlineExceeded].
type TimeoutError struct {
	Endpoint ipc.Endpoint
	Doing    string // such as "wait for another process to start a server"
	Who      Info   // the process that was waited for; zero if unknown
	Err      error  // the last trouble; may be nil
}

// Error names what and whom.
func (e *TimeoutError) Error() string {
	text := "lifecycle: " + e.Doing + " at " + e.Endpoint.String() + ": out of time"
	if e.Who != (Info{}) {
		text += ": " + e.Who.String()
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is reports whether target is one of the standard library's errors for this.
func (e *TimeoutError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
}

// Unwrap returns the last trouble.
func (e *TimeoutError) Unwrap() error { return e.Err }
