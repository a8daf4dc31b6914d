package peer

import (
	"bytes"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// bolt keeps values in one bucket. Many putters share transactions through Batch; one alone would
// only wait there for others, so it has a transaction to itself.
type bolt struct {
	db     *bbolt.DB
	update func(func(*bbolt.Tx) error) error
}

var bucket = []byte("values")

func openBolt(dir string, m Mode) (Store, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	o := *bbolt.DefaultOptions
	o.NoSync = !m.Durable
	o.NoFreelistSync = true
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o666, &o)
	if err != nil {
		return nil, err
	}
	b := &bolt{db: db, update: db.Update}
	if m.Putters > 1 {
		db.MaxBatchSize = m.Putters // a full batch does not wait
		b.update = db.Batch
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	return b, err
}

func (b *bolt) Put(key [32]byte, value []byte) error {
	return b.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key[:], value) })
}

func (b *bolt) Get(key [32]byte) (value []byte, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		found := tx.Bucket(bucket).Get(key[:])
		if found == nil {
			return ErrNotFound
		}
		value = bytes.Clone(found)
		return nil
	})
	return value, err
}

func (b *bolt) Close() error { return b.db.Close() }
