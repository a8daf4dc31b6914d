package gocacheprog

import (
	"context"
	"errors"
	"io"
	"time"
)

// ID is an action ID, the key under which the go command asks for an output, or an
// output ID, the SHA-256 of an output's bytes.
type ID [32]byte

// Store is what [Serve] needs of an artifact store. Its methods are called from many
// goroutines at once. [Over] makes one from a *cache.Store.
//
// A store may fail in any way at any time: [Serve] turns a failed Get into a miss and
// keeps the body of a failed Put elsewhere.
type Store interface {
	// Get returns the output that was last put under action. The error for a miss is
	// [ErrMiss]; any other is a miss too, and is reported.
	//
	// The file it names must stay in place, unchanged, until 24 hours after the session.
	Get(ctx context.Context, action ID) (Object, error)
	// Put reads body to its end and stores it under action, in the place of what was
	// there. output is the SHA-256 of the body: reading fails instead of ending when it is
	// not. Put fails, and leaves nothing under action, when reading does. It does not keep body.
	Put(ctx context.Context, action, output ID, body io.Reader) (Object, error)
	// Release drops what the store holds for the session, such as leases on the files
	// it named. It is called once, after every other call has returned.
	Release()
}

// Object is one stored output.
type Object struct {
	Output ID        // SHA-256 of the bytes
	Size   int64     // bytes
	Time   time.Time // when it was put; the go command expires test results by it
	Path   string    // absolute path of a file that holds the bytes, and nothing else
}

// Opener opens the store of one session. [Serve] calls it once, on a goroutine of its
// own, while the go command is already starting up; when it fails the session goes on
// without a store. ctx ends when the session does: a session that was too short to need the
// store does not wait for it. The store is the caller's to close once Serve has returned.
type Opener func(ctx context.Context) (Store, error)

// ErrMiss is what [Store.Get] returns when nothing is stored under an action.
var ErrMiss = errors.New("gocacheprog: miss")

// Opened is an [Opener] for a store that is open already.
func Opened(s Store) Opener {
	return func(context.Context) (Store, error) { return s, nil }
}
