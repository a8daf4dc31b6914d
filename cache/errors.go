package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// Errors that callers branch on, with [errors.Is].
var (
	// ErrNotFound is the miss: nothing is stored under the key, or what was stored is no longer
	// sound.
	ErrNotFound = errors.New("not found")
	// ErrClosed reports a verb after Close, or on a finished Draft or a released Artifact.
	ErrClosed = errors.New("closed")
	// ErrNoSpace reports that the volume is below the reserve or full. Gets and deletes go on;
	// puts work again without a restart once space returns.
	ErrNoSpace = errors.New("no space left for the cache")
	// ErrReadOnly reports a root on a file system that cannot be written.
	ErrReadOnly = errors.New("read-only file system")
	// ErrCorrupt reports stored bytes that are not what was put. The entry has been dropped, so the
	// error is ErrNotFound too: rebuild, as after a miss.
	ErrCorrupt = errors.New("corrupt")
	// ErrVersion reports a root that a newer version of this package wrote. Nothing in it was
	// changed.
	ErrVersion = errors.New("unknown format version")
	// ErrInUse reports that DeleteIdle has left an entry alone.
	ErrInUse = errors.New("in use")
	// ErrRecursive reports Do on a key from inside that key's own build, or one that it waits for.
	ErrRecursive = errors.New("build waits for itself")
	// ErrRunning reports a second Run.
	ErrRunning = errors.New("already running")
	// ErrShortContent reports that a reader ended before the size that was declared for it.
	ErrShortContent = errors.New("content shorter than declared")
	// ErrTooLarge reports a draft beyond a documented limit.
	ErrTooLarge = errors.New("too large")
)

// LockedError reports that another process, or another Store in this one, owns the root.
type LockedError struct {
	Dir string
	PID int // the owner's process id; 0 when it could not be read
}

// Error names the owner.
func (e *LockedError) Error() string {
	owner := "another process"
	if e.PID != 0 {
		owner = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("cache: open %s: owned by %s; close it or use Options.LockWait",
		e.Dir, owner)
}

// Lease describes what somebody still holds.
type Lease struct {
	Key   Key
	Count int
}

// HeldError reports that Close gave up waiting for leases. The store refuses new work; the root's
// lock is given up with the last Release.
type HeldError struct {
	Leases []Lease
}

// Error counts the leases and names the first.
func (e *HeldError) Error() string {
	if len(e.Leases) == 0 {
		return "cache: close: leases are still held"
	}
	return fmt.Sprintf("cache: close: %d artifacts are still held, %v among them",
		len(e.Leases), e.Leases[0].Key)
}

// NameError reports an output name that cannot be stored.
type NameError struct {
	Field  string // "name" or "target"
	Name   string
	Reason string
}

// Error quotes the name.
func (e *NameError) Error() string {
	return fmt.Sprintf("cache: output %s %q: %s", e.Field, e.Name, e.Reason)
}

// Corruption describes stored bytes that were found to be wrong, for [Options.OnCorrupt].
type Corruption struct {
	Key    Key    // the entry that was dropped; zero when damage was found without one
	Digest Digest // the payload, when one was at fault
	Path   string // its file, relative to the root, when it has one
	Reason string
	Time   time.Time
}

// corruptError is both ErrCorrupt and ErrNotFound: the entry is gone.
type corruptError struct{ c Corruption }

func (e *corruptError) Error() string {
	return fmt.Sprintf("cache: entry %v: %s; dropped", e.c.Key, e.c.Reason)
}

func (e *corruptError) Is(target error) bool {
	return target == ErrCorrupt || target == ErrNotFound
}

// mapError gives foreign errors a root that callers can branch on.
func mapError(err error) error {
	switch {
	case vfs.IsNoSpace(err) && !errors.Is(err, ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case vfs.IsReadOnly(err) && !errors.Is(err, ErrReadOnly):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	return err
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
