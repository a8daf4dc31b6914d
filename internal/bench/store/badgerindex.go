package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// badgerIndex is a Badger database with what a store's index has: a record of each artifact.
type badgerIndex struct {
	db  *badger.DB
	txn *badger.Txn // kept for all gets
}

// recordSize is that of an artifact record in the index, which has 116 to 128 bytes with the name of a lone output.
const recordSize = 124

// indexKey is a key as it stands in an index, which has records of several kinds.
func indexKey(key [32]byte) []byte { return append([]byte{'a'}, key[:]...) }

func badgerRecord(key [32]byte) []byte { return bytes.Repeat(key[:], 4)[:recordSize] }

// badgerOptions let Badger read as fast as it can while it verifies what it reads, as our index does. Small memtables
// keep the heap small that both sides are measured with.
func badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).WithLogger(nil).WithMetricsEnabled(false).
		WithDetectConflicts(false).WithCompression(options.None).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithBlockCacheSize(0).WithIndexCacheSize(0).
		WithMemTableSize(8 << 20).WithValueLogFileSize(1 << 20)
}

// makeBadgerIndex puts the records of n artifacts into a new database. Closing it brings all of them into tables,
// and merges those that a get would have to try one after another.
func makeBadgerIndex(ctx context.Context, dir string, n int) error {
	db, err := badger.OpenManaged(badgerOptions(dir).WithCompactL0OnClose(true))
	if err == nil {
		err = errors.Join(fillBadger(ctx, db, n), db.Close())
	}
	if err != nil {
		return fmt.Errorf("bench: make badger's index: %w", err)
	}
	return nil
}

func fillBadger(ctx context.Context, db *badger.DB, n int) error {
	batch := db.NewWriteBatchAt(1)
	defer batch.Cancel()
	_, _, err := meter.Rate(ctx, meter.Load{Count: n}, func(i int) error {
		key := content.Key(i)
		return batch.Set(indexKey(key), badgerRecord(key))
	})
	if err != nil {
		return err
	}
	return batch.Flush()
}

// openBadgerIndex opens a database that was made before, without compactors, which would run beside the gets.
func openBadgerIndex(dir string) (*badgerIndex, error) {
	db, err := badger.OpenManaged(badgerOptions(dir).WithNumCompactors(0))
	if err != nil {
		return nil, fmt.Errorf("bench: open badger's index: %w", err)
	}
	return &badgerIndex{db: db, txn: db.NewTransactionAt(math.MaxUint64, false)}, nil
}

// get appends the record to dst.
func (b *badgerIndex) get(key, dst []byte) ([]byte, error) {
	item, err := b.txn.Get(key)
	if err != nil {
		return nil, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, err
}

func (b *badgerIndex) close() error {
	b.txn.Discard()
	return b.db.Close()
}
