package store

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/larderbuild/larder/internal/bench/content"
)

// badgerCopy is a copy of a store's index folder, opened with Badger alone.
type badgerCopy struct {
	db     *badger.DB
	txn    *badger.Txn // kept for all gets
	prefix []byte      // what stands before the artifact's key
}

// openCopy copies the index of the closed store in root to dir and opens it. The options repeat those
// of package index, which cannot be imported from here.
func openCopy(root, dir string) (*badgerCopy, error) {
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "index"))); err != nil {
		return nil, fmt.Errorf("bench: copy index: %w", err)
	}
	o := badger.DefaultOptions(dir).WithLogger(nil).WithMetricsEnabled(false).
		WithDetectConflicts(false).WithCompression(options.None).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithMemTableSize(8 << 20).WithNumMemtables(1).WithBaseTableSize(2 << 20).
		WithNumLevelZeroTables(2).WithNumLevelZeroTablesStall(4).WithNumCompactors(2).
		WithBlockCacheSize(0).WithIndexCacheSize(0).
		WithValueThreshold(1 << 19).WithValueLogFileSize(1 << 20)
	db, err := badger.OpenManaged(o)
	if err != nil {
		return nil, fmt.Errorf("bench: open copy of index: %w", err)
	}
	c := &badgerCopy{db: db, txn: db.NewTransactionAt(math.MaxUint64, false)}
	if err := c.findPrefix(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// findPrefix looks for the first key under all prefixes, so that nothing here depends on the format.
func (c *badgerCopy) findPrefix() error {
	want := content.Key(0)
	for b := range 256 {
		key := append([]byte{byte(b)}, want[:]...)
		if _, err := c.txn.Get(key); err == nil {
			c.prefix = key[:1]
			return nil
		}
	}
	return errors.New("bench: the copied index has no key that ends in the first artifact's key")
}

// get appends the record to dst.
func (c *badgerCopy) get(key, dst []byte) ([]byte, error) {
	item, err := c.txn.Get(key)
	if err != nil {
		return nil, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, err
}

func (c *badgerCopy) close() error {
	c.txn.Discard()
	return c.db.Close()
}
