package cachetest

import (
	"context"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/larderbuild/larder/cache"
)

// Store is what every artifact store and remote tier can do. It is safe for concurrent use.
// After Close each method fails with [cache.ErrClosed].
type Store interface {
	// Put stores a under key, in place of what was there. It either stores all of a or changes
	// nothing; it does not keep a's slices. A name that cannot be stored is a
	// [*cache.NameError].
	Put(ctx context.Context, key cache.Key, a Artifact) error
	// Get returns what was put last, to be released by the caller, or nil and [cache.ErrNotFound].
	Get(ctx context.Context, key cache.Key) (Leased, error)
	// Delete forgets key at once, or fails with [cache.ErrNotFound].
	Delete(ctx context.Context, key cache.Key) error
	// All yields every key once, in no order. The body may call the store. A listing that ends
	// early yields an error last: a caller must be able to tell a short list from a whole one.
	All(ctx context.Context) iter.Seq2[cache.Key, error]
	// Close ends the store. It may be called again.
	Close(ctx context.Context) error
}

// Leased is an artifact that somebody is reading. It is safe for concurrent use until Release.
type Leased interface {
	// Read returns the whole artifact as a value of the caller's own.
	Read() (Artifact, error)
	// Release ends the lease. Further calls do nothing.
	Release()
}

// Streamer is a [Store] that can put outputs from readers.
type Streamer interface {
	// PutStreams is Put of an artifact that has only these outputs. A reader that fails, fails
	// the put with its error; one that ends before the declared size fails it with
	// [cache.ErrShortContent], and one that goes on after it with [cache.ErrTooLarge].
	PutStreams(ctx context.Context, key cache.Key, outputs ...Stream) error
}

// Stream is a file output whose content comes from a reader.
type Stream struct {
	Name    string
	Mode    fs.FileMode
	Size    int64 // declared size in bytes; negative when it is not known
	Content io.Reader
}

// Holder is a [Store] whose leases keep what they name readable whatever happens to the
// key. Its Close waits for them until its context ends and then returns a [*cache.HeldError].
type Holder interface {
	// Held counts the leases that are not released yet.
	Held() int
}

// Builder is a [Store] that runs one build for all concurrent callers of a key.
type Builder interface {
	// Do returns what is stored under key, or runs build and stores what it returns.
	// See [cache.Store.Do] for errors, panics, recursion and cancelling.
	Do(ctx context.Context, key cache.Key,
		build func(context.Context) (Artifact, error)) (Leased, error)
}

// Reopener is a [Store] whose content outlives it.
type Reopener interface {
	// Reopen closes the store and opens a new one over the same content.
	Reopen(ctx context.Context) (Store, error)
}

// Deliverer is a [Leased] artifact that can be written out as files.
type Deliverer interface {
	// Deliver writes all outputs below root, or none. A symbolic link that leads out of root is
	// an error.
	Deliver(ctx context.Context, root *os.Root) error
}
