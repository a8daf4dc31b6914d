package ipc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
)

// Errors that callers branch on. Test with [errors.Is]; each also is the error of the standard
// library that its comment names.
var (
	// ErrClosed says that this end was closed. It is an [fs.ErrClosed].
	ErrClosed error = &failure{text: "closed", also: fs.ErrClosed}
	// ErrTimeout says that the call's time was up; [CallError] says in which phase. It is an
	// [os.ErrDeadlineExceeded] and a [context.DeadlineExceeded].
	ErrTimeout error = &failure{"out of time", os.ErrDeadlineExceeded, context.DeadlineExceeded}
	// ErrBusy says that the server is at one of its limits, or not yet ready.
	ErrBusy error = &failure{text: "server busy"}
	// ErrDraining says that the server ends and takes no more calls.
	ErrDraining error = &failure{text: "server draining"}
	// ErrTooLarge says that a message is larger than the other end takes.
	ErrTooLarge error = &failure{text: "message too large"}
	// ErrVersion says that the two ends have no version of the protocol in common.
	ErrVersion error = &failure{text: "no common protocol version", also: errors.ErrUnsupported}
	// ErrRefused says that the other end is not of the same user, or was refused by
	// ServerOptions.Allow. It is an [fs.ErrPermission].
	ErrRefused error = &failure{text: "refused", also: fs.ErrPermission}
	// ErrWedged says that the server did not even answer pings any more.
	ErrWedged error = &failure{text: "server wedged"}
	// ErrProtocol says that the other end sent what the protocol does not allow.
	ErrProtocol error = &failure{text: "protocol violated"}
)

// Reasons of an ErrProtocol.
var (
	errCheck        error = &failure{text: "header check wrong", also: ErrProtocol}
	errUnknownFrame error = &failure{text: "unknown frame", also: ErrProtocol}
	errFields       error = &failure{text: "damaged fields", also: ErrProtocol}
	errHello        error = &failure{text: "no hello of this protocol", also: ErrProtocol}
	errFrame        error = &failure{text: "frame out of place", also: ErrProtocol}
	errCredit       error = &failure{text: "stream beyond its credit", also: ErrProtocol}
	errRights       error = &failure{text: "damaged descriptor message", also: ErrProtocol}
	errUnread       error = &failure{text: "answers left unread", also: ErrProtocol}
	errSlow         error = &failure{text: "header not completed in time", also: ErrProtocol}
)

// failure is an error with a fixed text that also is up to two others.
type failure struct {
	text      string
	also, and error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Is(target error) bool {
	return f.also != nil && errors.Is(f.also, target) || f.and != nil && target == f.and
}

// Outcome says what became of a request whose call failed.
type Outcome uint8

const (
	// MaybeProcessed says that the request was sent and its handler may have run.
	MaybeProcessed Outcome = iota
	// NotProcessed says that no handler saw the request: to repeat it is safe.
	NotProcessed
	// Answered says that the server answered, with an error if there is one.
	Answered
)

var outcomeNames = [...]string{"maybe processed", "not processed", "answered"}

// String returns the outcome in words.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return "unknown"
	}
	return outcomeNames[o]
}

// Phase says what a call waited for when it failed.
type Phase uint8

const (
	PhaseConnect Phase = 1 + iota // a connection
	PhaseQueue                    // a slot among the calls of the connection
	PhaseWrite                    // its request to be sent
	PhaseWait                     // the begin of its answer
	PhaseRead                     // the rest of its answer
)

var phaseNames = [...]string{"call", "connect", "queue", "write", "wait", "read"}

// String returns the phase in one word.
func (p Phase) String() string { return phaseNames[min(int(p), len(phaseNames)-1)] }

// CallError is the error of every failed call.
type CallError struct {
	Op      uint16 // the operation, 0 for those of the library
	Phase   Phase
	Outcome Outcome
	// Err is the cause: one of this package's errors, a [*RemoteError], an [io.EOF] for a
	// connection that the server closed between frames, an [io.ErrUnexpectedEOF] for one that
	// ended inside a frame, an error of the context or of the system.
	Err error
}

// Error names phase, operation and cause.
func (e *CallError) Error() string {
	op := strconv.Itoa(int(e.Op))
	return "ipc: " + e.Phase.String() + " operation " + op + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// OutcomeOf returns what became of the request whose call ended with err: that of the [CallError] in
// err, and MaybeProcessed for any other error, which may be one of what the host did with the answer.
// An error of [Dial] is such an error too, though nothing was sent. Nil is Answered.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Answered
	}
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Outcome
	}
	return MaybeProcessed
}

// Codes of error answers. Those below CodeHost belong to the library.
const (
	CodeFailed     = 1  // the handler returned an error without a code
	CodeInternal   = 2  // the handler panicked
	CodeUnknown    = 3  // no handler for the operation
	CodeDeadline   = 4  // the budget was used up
	CodeCancelled  = 5  // the caller gave up, or the server closed
	codeAnswer     = 6  // the answer is too large
	codeBusy       = 16 // from here on: not processed
	codeDraining   = 17
	codeTooLarge   = 18
	codeRefused    = 19
	codeStarting   = 20
	codeVersion    = 21
	CodeHost       = 256 // the first code of the host
	codeNotRunLow  = codeBusy
	codeNotRunHigh = 31
)

// RemoteError is an error that the server answered. A handler returns one to choose the code.
type RemoteError struct {
	Code    uint32
	Message string
}

// Error returns message and code.
func (e *RemoteError) Error() string {
	return "remote: " + e.Message + " (code " + strconv.FormatUint(uint64(e.Code), 10) + ")"
}

// Is reports that target is the error of the standard library or of this package for the code.
func (e *RemoteError) Is(target error) bool {
	switch e.Code {
	case CodeUnknown:
		return target == errors.ErrUnsupported
	case CodeDeadline:
		return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
	case CodeCancelled:
		return target == context.Canceled
	case codeBusy, codeStarting:
		return target == ErrBusy
	case codeVersion:
		return target == ErrVersion || target == errors.ErrUnsupported
	case codeDraining:
		return target == ErrDraining
	case codeTooLarge, codeAnswer:
		return target == ErrTooLarge
	case codeRefused:
		return target == ErrRefused || target == fs.ErrPermission
	}
	return false
}

func (e *RemoteError) outcome() Outcome {
	if e.Code >= codeNotRunLow && e.Code <= codeNotRunHigh {
		return NotProcessed
	}
	return Answered
}

// remoteOf returns what an error answer says of a handler's error. A refusal, as of another server that the handler has
// called, is only its text: to pass on the code would say that this handler did not run.
func remoteOf(err error) *RemoteError {
	remote, ok := errors.AsType[*RemoteError](err)
	switch {
	case ok && remote != nil && remote.outcome() == Answered:
		return remote
	case errors.Is(err, context.DeadlineExceeded):
		return &RemoteError{CodeDeadline, err.Error()}
	case errors.Is(err, context.Canceled):
		return &RemoteError{CodeCancelled, err.Error()}
	}
	return &RemoteError{CodeFailed, err.Error()}
}

// An error answer is its code in 4 bytes and its message, as far as it is kept.
func appendRemote(b []byte, e *RemoteError) []byte {
	return append(append32(b, e.Code), e.Message[:min(len(e.Message), errorLength-4)]...)
}

func parseRemote(b []byte) (*RemoteError, error) {
	if len(b) < 4 {
		return nil, errFields
	}
	return &RemoteError{uint32At(b, 0), string(b[4:])}, nil
}
