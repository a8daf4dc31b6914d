package peer

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// badgerStore keeps values in Badger's value log, with Badger's defaults for everything else.
type badgerStore struct{ db *badger.DB }

func openBadger(dir string, m Mode) (Store, error) {
	o := badger.DefaultOptions(dir).
		WithLogger(nil).
		WithValueThreshold(1). // every value goes to the value log
		WithSyncWrites(m.Durable)
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	return badgerStore{db}, nil
}

func (b badgerStore) Put(key [32]byte, value []byte) error {
	return b.db.Update(func(txn *badger.Txn) error { return txn.Set(key[:], value) })
}

func (b badgerStore) Get(key [32]byte) (value []byte, err error) {
	err = b.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(key[:])
		if err != nil {
			return err
		}
		value, err = item.ValueCopy(nil)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ErrNotFound
	}
	return value, err
}

func (b badgerStore) Close() error { return b.db.Close() }
