// Package index keeps the store's small records by key. It is an accelerator: everything
// in it can be rebuilt from the recovery log, so an index that is damaged is thrown away.
package index

import (
	"errors"
	"fmt"
	"iter"
)

// Limits of the records that an engine must take.
const (
	MaxKey   = 64  // bytes
	MaxValue = 512 // bytes
)

var (
	// ErrDamaged reports that the index can no longer be trusted and must be rebuilt.
	// Reads may go on; what they return must be verified by the caller's own checksum.
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

// Index is an engine. All methods but Close are safe for concurrent use; Apply is called by one
// goroutine at a time. Close waits for running calls.
type Index interface {
	// Get appends the value of key to dst. It reports false when the key is absent.
	Get(key, dst []byte) (value []byte, ok bool, err error)

	// Apply makes ops visible in order, and then last. A crash of the process in between leaves a
	// prefix of ops: last is in the index only when all of ops are. The engine
	// does not keep the slices. The number of ops is not limited; nothing of them is done when one has an empty key or is
	// beyond MaxKey or MaxValue.
	Apply(ops []Op, last Op) error

	// Scan yields keys at or after start that have the prefix, in order, with their values, which are borrowed
	// until the body returns. The body may call Get and Apply. A scan that ended early
	// yields an error last; a scan without one was complete as far as the engine can tell.
	Scan(prefix, start []byte) iter.Seq2[Op, error]

	// Sync makes what Apply wrote survive a crash, as far as the engine can: the value of the last op's key says
	// what did.
	Sync() error

	// Headroom returns how many bytes of the volume must be free when Apply is called, beside what its
	// ops take: the engine may go on writing by itself, and cannot be told that the disk is full.
	Headroom() int64

	// Close releases everything. It is idempotent.
	Close() error
}
