// Package index keeps the store's small records by key. It is an accelerator: everything
// in it can be rebuilt from the recovery log, so an index that is damaged is thrown away.
package index

import (
	"errors"
	"fmt"
	"iter"
)

// Limits of a record.
const (
	MaxKey   = 64  // bytes
	MaxValue = 512 // bytes
)

var (
	// ErrDamaged reports that the index can no longer be trusted and must be rebuilt.
	// Reads may go on; what they return is right.
	ErrDamaged = errors.New("index damaged")
	// ErrClosed reports use after Close.
	ErrClosed = errors.New("index closed")
)

// Op sets or removes one key. A nil Value removes it.
type Op struct {
	Key   []byte
	Value []byte
}

// check refuses ops that are beyond the limits.
func (o *Op) check() error {
	if len(o.Key) == 0 || len(o.Key) > MaxKey || len(o.Value) > MaxValue {
		return fmt.Errorf("key of %d bytes with a value of %d", len(o.Key), len(o.Value))
	}
	return nil
}

func checkOps(ops []Op, last Op) error {
	for i := range ops {
		if err := ops[i].check(); err != nil {
			return err
		}
	}
	return last.check()
}

// Index is a sorted map. All methods but Close are safe for concurrent use; Apply is called by one
// goroutine at a time. Close waits for running calls.
type Index interface {
	// Get appends the value of key to dst. It reports false when the key is absent.
	Get(key, dst []byte) (value []byte, ok bool, err error)

	// Apply does ops in order, and then last; they become visible together, and a crash leaves all
	// of them or none. The slices are not kept. The number of ops is not limited; nothing of them
	// is done when one has an empty key or is beyond MaxKey or MaxValue.
	Apply(ops []Op, last Op) error

	// Merge does work that Apply leaves for later, so that what there is to read stays short: its
	// share of it for the changes since the last call. It may take some milliseconds. Last says
	// that Close follows, which gives up what is not done: then Merge ends what is nearly so, which
	// may take some tens of milliseconds.
	Merge(last bool) error

	// Scan yields keys at or after start that have the prefix, in order, with their values, which
	// are borrowed until the body returns. The body may call Get and Apply. A scan that ended early
	// yields an error last; a scan without one was complete.
	Scan(prefix, start []byte) iter.Seq2[Op, error]

	// Sync makes what Apply wrote survive a power loss. Before, one may leave an older state, or
	// damage.
	Sync() error

	// Close releases everything. It is idempotent.
	Close() error
}
