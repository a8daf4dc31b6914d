package framelog

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged is what every [*Damage] is, [Torn] ones excepted.
	ErrDamaged = errors.New("damaged")
	// ErrVersion reports a log of a newer format. Nothing was changed.
	ErrVersion = errors.New("written by a newer version")
	// ErrForeign reports a folder that holds segments of another log and none of this one.
	ErrForeign = errors.New("belongs to another log")
	// ErrTooLarge reports a body or a group beyond the limits.
	ErrTooLarge = errors.New("too large")
	// ErrNotFound reports a segment that the log does not hold, or no longer.
	ErrNotFound = errors.New("no such segment")
	// ErrActive reports an attempt to remove the segment that is being appended to.
	ErrActive = errors.New("segment is active")
	// ErrFailed reports a log that could not make its bytes durable. It takes no more until
	// it is opened again.
	ErrFailed = errors.New("log has failed")
	// ErrClosed reports use after Close.
	ErrClosed = errors.New("log is closed")
)

// Reason is why a region of the log was lost.
type Reason uint8

const (
	// Torn is the end of a segment that was never made durable: what a crash leaves. It is
	// not an [ErrDamaged].
	Torn Reason = iota + 1
	// BadHeader is a segment file whose header does not hold. Its frames may have been found
	// all the same.
	BadHeader
	// BadFrame is a region in which no frame header holds.
	BadFrame
	// BadBody is a frame whose body does not hold, and what follows up to the next frame that
	// does.
	BadBody
	// Truncated is the missing end of a segment that was durable beyond it.
	Truncated
	// Missing is a segment without a file.
	Missing
	// Unreadable is a region that the file system could not read; Err says why.
	Unreadable
	// Foreign is a file of another log.
	Foreign
	// Duplicate is a file that says it is a segment that another file is.
	Duplicate
)

var reasons = [...]string{
	Torn: "torn end", BadHeader: "bad file header", BadFrame: "bad frame header",
	BadBody: "bad frame body", Truncated: "truncated", Missing: "missing file",
	Unreadable: "unreadable", Foreign: "file of another log", Duplicate: "duplicate file",
}

// String returns a few words for people.
func (r Reason) String() string {
	if int(r) < len(reasons) && reasons[r] != "" {
		return reasons[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Damage is a region of a segment whose frames are lost. It is an error that is [ErrDamaged],
// unless it is [Torn].
type Damage struct {
	Segment  uint64
	From, To int64 // offsets in the segment; both zero for a file as a whole
	Reason   Reason
	Err      error // the file system's error, or nil
}

// Error returns the place and the reason.
func (d *Damage) Error() string {
	s := fmt.Sprintf("framelog: segment %x from %x to %x: %v", d.Segment, d.From, d.To, d.Reason)
	if d.Err != nil {
		s += ": " + d.Err.Error()
	}
	return s
}

// Is reports whether target is [ErrDamaged] and d is more than torn.
func (d *Damage) Is(target error) bool { return target == ErrDamaged && d.Reason != Torn }

// Unwrap returns the file system's error.
func (d *Damage) Unwrap() error { return d.Err }

// wrap puts the operation and its subject before an error.
func wrap(op string, subject any, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("framelog: %s %v: %w", op, subject, err)
}
