package place

import (
	"errors"
	"fmt"
	"syscall"
)

// Errors that callers branch on, with [errors.Is].
var (
	// ErrMismatch reports content whose size or hash is not the one expected.
	ErrMismatch = errors.New("content is not what was stored")
	// ErrNotRegular reports a source that is a folder, a link, a device, a pipe or a socket.
	ErrNotRegular = errors.New("not a regular file")
	// ErrShared reports a file with more than one name: whoever has the other one can change it.
	ErrShared = errors.New("file has more than one link")
	// ErrChanged reports a source that was written to while it was copied.
	ErrChanged = errors.New("file changed while it was read")
)

// SourceError reports that the stored file could not be read. Treat it like damage.
type SourceError struct {
	Err error
}

// Error names the cause.
func (e *SourceError) Error() string { return "stored file: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *SourceError) Unwrap() error { return e.Err }

// TargetError reports a symbolic link that is not made because it could lead out of the
// destination.
type TargetError struct {
	Name, Target string
	Reason       string
}

// Error quotes the link and its text.
func (e *TargetError) Error() string {
	return fmt.Sprintf("symbolic link %q to %q: %s", e.Name, e.Target, e.Reason)
}

// refusedError says that the kernel declined one way of placing a file and that the next may be
// tried. It is also [errors.ErrUnsupported].
type refusedError struct {
	op    operation
	cause error
}

func (e *refusedError) Error() string { return e.op.String() + ": " + e.cause.Error() }

func (e *refusedError) Unwrap() []error { return []error{e.cause, errors.ErrUnsupported} }

// refusal tells what an error of op means: a [*refusedError] when the next way may work, else err
// itself. A kernel answer is a bare number; anything wrapped comes from our own steps around it,
// and those would fail again.
func (p *Placer) refusal(op operation, on pair, err error) error {
	no, bare := err.(syscall.Errno)
	if !bare || fatal(no) {
		return err
	}
	if aboutPair(no) {
		p.demote(on, op)
	}
	return &refusedError{op: op, cause: err}
}

func refused(err error) bool {
	_, ok := errors.AsType[*refusedError](err)
	return ok
}
