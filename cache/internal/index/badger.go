package index

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Options configure [OpenBadger]. The zero value of every field but Dir is its default.
type Options struct {
	Dir      string       // folder of the index, made when it is missing; nobody else may write in it
	Logger   *slog.Logger // nil is silent
	ReadOnly bool         // nothing below Dir is changed; errors.ErrUnsupported on Windows
	// OnDamage is called once, on any goroutine and with no lock held, when an open index is found damaged.
	// It must not call the index. Nil is fine: the methods report the damage too.
	OnDamage func(error)
}

// Badger is the [Index] that keeps its records in a folder.
//
// Get, Apply and Scan may be called from several goroutines, as [Index] says.
type Badger struct {
	db       *badger.DB
	options  Options
	mu       sync.RWMutex // held for reading by every call while it touches db
	closed   bool
	scans    sync.WaitGroup
	snapshot atomic.Pointer[badger.Txn] // what Get and Scan see: all of the transactions applied so far
	version  uint64                     // of the last transaction; Apply's own
	entries  []badger.Entry             // Apply's own
	damage   atomic.Pointer[error]
}

var _ Index = (*Badger)(nil)

// OpenBadger opens or makes the index in o.Dir. [ErrDamaged] says that the folder must be thrown away and
// the index rebuilt.
func OpenBadger(o Options) (*Badger, error) {
	b := &Badger{options: o}
	db, err := badger.OpenManaged(b.settings())
	if err != nil {
		return nil, fmt.Errorf("index: open: %w: %w", ErrDamaged, err)
	}
	b.db = db
	b.version = db.MaxVersion()
	b.publish()
	db.SetDiscardTs(b.version)
	return b, nil
}

func (b *Badger) settings() badger.Options {
	o := badger.DefaultOptions(b.options.Dir)
	o.ReadOnly = b.options.ReadOnly
	o.BypassLockGuard = true // the store holds a lock of its own
	o.Logger = &engineLog{out: b.options.Logger}
	o.MetricsEnabled = false
	o.DetectConflicts = false
	o.Compression = options.None
	o.ChecksumVerificationMode = options.OnBlockRead
	o.MemTableSize = 8 << 20
	o.NumMemtables = 1
	o.BaseTableSize = 2 << 20
	o.NumLevelZeroTables = 2
	o.NumLevelZeroTablesStall = 4
	o.NumCompactors = 2
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0
	o.ValueThreshold = 1 << 19
	o.ValueLogFileSize = 1 << 20
	return o
}

func (b *Badger) publish() {
	b.snapshot.Store(b.db.NewTransactionAt(b.version, false))
}

// enter starts a call that touches the engine; the caller runs b.mu.RUnlock when it ends.
func (b *Badger) enter() error {
	b.mu.RLock()
	if b.closed {
		b.mu.RUnlock()
		return ErrClosed
	}
	return nil
}

// Get implements [Index].
func (b *Badger) Get(key, dst []byte) ([]byte, bool, error) {
	if err := b.enter(); err != nil {
		return nil, false, fmt.Errorf("index: get: %w", err)
	}
	defer b.mu.RUnlock()
	item, err := b.snapshot.Load().Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("index: get: %w", err)
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("index: get: %w", err)
	}
	return dst, true, nil
}

// Apply implements [Index].
func (b *Badger) Apply(ops []Op, last Op) error {
	if err := b.enter(); err != nil {
		return fmt.Errorf("index: apply: %w", err)
	}
	defer b.mu.RUnlock()
	txn := b.begin()
	var err error
	for i := range ops {
		if txn, err = b.add(txn, &ops[i]); err != nil {
			return fmt.Errorf("index: apply: %w", err)
		}
	}
	if txn, err = b.add(txn, &last); err == nil {
		err = b.commit(txn)
	}
	if err != nil {
		return fmt.Errorf("index: apply: %w", err)
	}
	return nil
}

func (b *Badger) begin() *badger.Txn {
	b.entries = b.entries[:0]
	return b.db.NewTransactionAt(b.version, true)
}

// add puts op into txn, or into a new one after committing txn when that is full.
func (b *Badger) add(txn *badger.Txn, op *Op) (*badger.Txn, error) {
	err := b.put(txn, op)
	if !errors.Is(err, badger.ErrTxnTooBig) {
		return txn, err
	}
	if err := b.commit(txn); err != nil {
		return nil, err
	}
	txn = b.begin()
	return txn, b.put(txn, op)
}

func (b *Badger) put(txn *badger.Txn, op *Op) error {
	if op.Value == nil {
		return txn.Delete(op.Key)
	}
	return txn.SetEntry(&badger.Entry{Key: op.Key, Value: op.Value})
}

func (b *Badger) commit(txn *badger.Txn) error {
	b.version++
	if err := txn.CommitAt(b.version, nil); err != nil {
		return err
	}
	b.publish()
	return nil
}

// Scan implements [Index].
func (b *Badger) Scan(prefix, start []byte) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		it, err := b.iterator(prefix)
		if err != nil {
			yield(Op{}, fmt.Errorf("index: scan: %w", err))
			return
		}
		defer b.scans.Done()
		defer it.Close()
		if bytes.Compare(start, prefix) < 0 {
			start = prefix
		}
		for it.Seek(start); it.ValidForPrefix(prefix); it.Next() {
			item := it.Item()
			more := true
			err := item.Value(func(v []byte) error {
				more = yield(Op{Key: item.Key(), Value: v}, nil)
				return nil
			})
			if err != nil {
				yield(Op{}, fmt.Errorf("index: scan: %w", err))
				return
			}
			if !more {
				return
			}
		}
	}
}

func (b *Badger) iterator(prefix []byte) (*badger.Iterator, error) {
	if err := b.enter(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	b.scans.Add(1)
	return b.snapshot.Load().NewIterator(badger.IteratorOptions{Prefix: prefix}), nil
}

// Sync implements [Index]. The engine's own log is not used after a crash, so nothing is to be done here:
// what survives one is said by the value of Apply's last key.
func (b *Badger) Sync() error {
	if err := b.enter(); err != nil {
		return fmt.Errorf("index: sync: %w", err)
	}
	defer b.mu.RUnlock()
	return nil
}

// Close implements [Index]. It waits for running scans, so the body of one must not call it.
func (b *Badger) Close() error {
	b.mu.Lock()
	was := b.closed
	b.closed = true
	b.mu.Unlock()
	if was {
		return nil
	}
	b.scans.Wait()
	if err := b.db.Close(); err != nil {
		return fmt.Errorf("index: close: %w", err)
	}
	return nil
}
