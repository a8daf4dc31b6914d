package index

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// Options configure [OpenBadger]. The zero value of every field but Dir is its default.
type Options struct {
	Dir    string       // folder of the index, made when it is missing; nobody else may write in it
	Logger *slog.Logger // nil is silent
	// ReadOnly writes nothing but takes away what a killed process left. On Windows it is errors.ErrUnsupported.
	ReadOnly bool
	// Lazy starts the engine for reading only when the index was closed and not killed, which takes a third of the time:
	// see [Badger.ReadOnly]. On Windows it does nothing.
	Lazy bool
	// OnDamage is called once, on any goroutine and with no lock held, when an open index is found damaged.
	// It must not call the index. Nil is fine: the methods report the damage too.
	OnDamage func(error)

	memtable int64 // bytes, for tests that need flushes and compactions soon
}

// Badger is the [Index] that keeps its records in a folder. Its methods are safe for concurrent use, as [Index]
// says. Each transaction that Apply makes of its ops becomes visible at once.
//
// Once the index is found damaged, Get still gives the values that it finds, and everything else is ErrDamaged: a key
// that is absent, a scan, Apply, and the next OpenBadger.
type Badger struct {
	db      *badger.DB
	options Options
	reading bool // the engine writes nothing
	home    home
	survey  *survey
	ledger  ledger
	damage  atomic.Pointer[error]
	flushes retries

	writes    sync.Mutex     // held by Apply; the fields after it are Apply's own
	version   uint64         // of the last transaction
	discarded uint64         // versions below may go when a newer one of the same key exists
	entries   []badger.Entry // of the transaction being made
	committed chan error     // the transaction is in

	reads    sync.RWMutex // held for reading by whoever touches db outside of Apply
	closed   bool         // guarded by reads, and by writes
	scans    sync.WaitGroup
	snapshot atomic.Pointer[badger.Txn] // what Get and Scan see: all transactions so far
}

var _ Index = (*Badger)(nil)

// compactAtClose is with how many tables of the first level Close merges them into the next, for a process that lives
// too short for the engine to come to it.
const compactAtClose = 12

// maxLag is how many transactions the engine may keep old versions for because readers leave no gap.
const maxLag = 1000

// start opens the engine. Panics of its own on this goroutine are damage.
func (b *Badger) start() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damagedf("engine panic: %v", r)
		}
	}()
	if b.db, err = badger.OpenManaged(b.settings()); err != nil {
		b.survey.known, b.survey.exact = known{}, false // now trust nothing
		if bad := b.survey.check(); bad != nil {
			return bad
		}
		return err
	}
	if b.home, err = newHome(b.options.Dir); err != nil {
		return errors.Join(err, b.db.Close())
	}
	b.ledger.open(b.tableSizes)
	b.version = b.db.MaxVersion()
	b.publish()
	return nil
}

// The engine keeps up to eight buffers in which tables were made. Each is of twice tableBytes, or grows: what a memtable
// holds must fit. Larger tables would be fewer for an open to look at, and take more memory.
const (
	memtableSize = 4 << 20
	tableBytes   = 2 << 20
)

func (b *Badger) settings() badger.Options {
	o := badger.DefaultOptions(b.options.Dir)
	o.ReadOnly = b.reading
	o.BypassLockGuard = true // the store holds a lock of its own
	o.Logger = &engineLog{out: b.options.Logger, counted: b.ledger.reads, ended: b.ended, stuck: b.flushes.failed}
	o.MetricsEnabled = false
	o.DetectConflicts = false
	o.Compression = options.None
	o.ChecksumVerificationMode = options.OnBlockRead
	o.MemTableSize = cmp.Or(b.options.memtable, memtableSize)
	o.NumMemtables = 1
	o.BaseTableSize = tableBytes
	o.BaseLevelSize = 64 << 20
	o.NumLevelZeroTables = 8
	o.NumLevelZeroTablesStall = 12
	o.NumCompactors = 2
	o.CompactL0OnClose = b.survey.first() >= compactAtClose
	o.BlockCacheSize = 0
	o.IndexCacheSize = 0
	o.ValueThreshold = 16 << 10 // above MaxValue: nothing goes to the value log
	o.ValueLogFileSize = 1 << 20
	return o
}

// Headroom implements [Index]. A compaction writes its result before it takes away what it read, and writes through
// a mapping: where the space is missing, the process ends by a signal.
func (b *Badger) Headroom() int64 {
	if b.enter() != nil {
		return 0
	}
	defer b.reads.RUnlock()
	if b.reading {
		return 0
	}
	const memtables = 3 * memtableSize * 5 / 4 // being filled, waiting and being written
	sum := int64(2 * memtables)                // written, and then merged with the base level
	file := int64(0)
	for _, level := range b.db.Levels() {
		if level.Level == 0 || level.IsBaseLevel {
			sum += level.Size
		}
		file = max(file, level.TargetFileSize)
	}
	return sum + 12*file // another compaction: a table with some ten of the level below
}

// ReadOnly reports whether Apply is errors.ErrUnsupported. An index that was opened with Lazy takes changes after Close and
// another open without it.
func (b *Badger) ReadOnly() bool { return b.reading }

func (b *Badger) tableSizes() []tableSize {
	tables := b.db.Tables()
	sizes := make([]tableSize, len(tables))
	for i, t := range tables {
		sizes[i] = tableSize{t.ID, int64(t.KeyCount)}
	}
	return sizes
}

// enter starts a call that touches the engine; the caller runs b.reads.RUnlock when it ends.
func (b *Badger) enter() error {
	b.reads.RLock()
	if b.closed {
		b.reads.RUnlock()
		return ErrClosed
	}
	return nil
}

// Get implements [Index].
func (b *Badger) Get(key, dst []byte) ([]byte, bool, error) {
	value, ok, err := b.get(key, dst)
	if err == nil && !ok {
		err = b.damaged()
	}
	if err != nil {
		return nil, false, fmt.Errorf("index: get: %w", err)
	}
	return value, ok, nil
}

func (b *Badger) get(key, dst []byte) (value []byte, ok bool, err error) {
	if err := b.enter(); err != nil {
		return nil, false, err
	}
	defer b.rescue(&err)
	defer b.reads.RUnlock()
	item, err := b.snapshot.Load().Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, true, err
}

// rescue is deferred around reads: what a damaged block makes the engine panic with on this goroutine is an error.
func (b *Badger) rescue(err *error) {
	if r := recover(); r != nil {
		*err = damagedf("engine panic: %v", r)
		b.report(*err)
	}
}

// Apply implements [Index].
func (b *Badger) Apply(ops []Op, last Op) error {
	if err := b.apply(ops, last); err != nil {
		return fmt.Errorf("index: apply: %w", err)
	}
	return nil
}

func (b *Badger) apply(ops []Op, last Op) error {
	b.writes.Lock()
	defer b.writes.Unlock()
	switch {
	case b.closed:
		return ErrClosed
	case b.reading:
		return errors.ErrUnsupported
	}
	if err := cmp.Or(b.damaged(), b.flushes.err(), checkOps(ops, last)); err != nil {
		return err
	}
	txn := b.begin()
	var err error
	for i := range ops {
		if txn, err = b.add(txn, &ops[i]); err != nil {
			return err
		}
	}
	if txn, err = b.add(txn, &last); err != nil {
		return err
	}
	return b.commit(txn)
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
	return txn.SetEntry(b.entry(op))
}

// entry makes an entry of op in memory that the next transaction uses again. The engine keeps pointers until the
// commit, so what is full is left to it.
func (b *Badger) entry(op *Op) *badger.Entry {
	if len(b.entries) == cap(b.entries) {
		b.entries = make([]badger.Entry, 0, max(64, min(4096, 2*cap(b.entries))))
	}
	b.entries = append(b.entries, badger.Entry{Key: op.Key, Value: op.Value})
	return &b.entries[len(b.entries)-1]
}

func (b *Badger) commit(txn *badger.Txn) error {
	b.version++
	txn.CommitAt(b.version, func(err error) { b.committed <- err })
	select {
	case err := <-b.committed:
		if err != nil {
			return err
		}
	case <-b.flushes.over(): // the engine keeps the entries, and this index takes no more
		return b.flushes.err()
	}
	b.publish()
	return nil
}

// publish lets readers see the last transaction. Old versions may go only while nobody reads them: the engine would
// drop the one that a reader of an older snapshot is looking for. A scan holds its tables, so only its start counts.
func (b *Badger) publish() {
	b.snapshot.Store(b.db.NewTransactionAt(b.version, false))
	if !b.reads.TryLock() {
		if b.version-b.discarded < maxLag {
			return
		}
		b.reads.Lock()
	}
	defer b.reads.Unlock()
	b.discarded = b.version
	b.db.SetDiscardTs(b.version)
}

// Scan implements [Index]. A scan that comes to its end reads the blocks that it went through once more and
// verifies them, as the engine steps over what it cannot read.
func (b *Badger) Scan(prefix, start []byte) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		if bytes.Compare(start, prefix) < 0 {
			start = prefix
		}
		s, err := b.scan(prefix)
		if err == nil {
			defer s.close()
			var stopped bool
			if stopped, err = s.run(prefix, start, yield); stopped {
				return
			}
		}
		if err != nil {
			yield(Op{}, fmt.Errorf("index: scan: %w", err))
		}
	}
}

// scan is one running Scan.
type scan struct {
	b      *Badger
	it     *badger.Iterator
	tables []badger.TableInfo // that it reads; the files stay until it is closed
}

func (b *Badger) scan(prefix []byte) (*scan, error) {
	if err := b.damaged(); err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	defer b.reads.RUnlock()
	for {
		before := b.db.Tables()
		it := b.snapshot.Load().NewIterator(badger.IteratorOptions{Prefix: prefix})
		if slices.EqualFunc(before, b.db.Tables(), func(x, y badger.TableInfo) bool { return x.ID == y.ID }) {
			b.scans.Add(1)
			return &scan{b, it, before}, nil
		}
		it.Close()
	}
}

func (s *scan) close() {
	s.it.Close()
	s.b.scans.Done()
}

// run reports whether the body stopped the scan.
func (s *scan) run(prefix, start []byte, yield func(Op, error) bool) (stopped bool, err error) {
	for err = s.step(func() { s.it.Seek(start) }); err == nil && s.it.ValidForPrefix(prefix); err = s.step(s.it.Next) {
		item := s.it.Item()
		err := item.Value(func(v []byte) error {
			stopped = !yield(Op{Key: item.Key(), Value: v}, nil)
			return nil
		})
		if stopped || err != nil {
			return stopped, err
		}
	}
	if err != nil {
		return false, err
	}
	return false, s.verify(keyRange{start, prefixEnd(prefix)})
}

// step moves the engine's iterator; a panic of the scan's body is none of the engine's.
func (s *scan) step(move func()) (err error) {
	defer s.b.rescue(&err)
	move()
	return nil
}

// verify reads what the scan went through.
func (s *scan) verify(r keyRange) error {
	var ids []uint64
	for _, t := range s.tables {
		if r.overlaps(t.Left, t.Right) {
			ids = append(ids, t.ID)
		}
	}
	if err := s.b.survey.verify(context.Background(), ids, r); err != nil {
		s.b.report(err)
		return err
	}
	return nil
}

// Sync implements [Index]. It has nothing to do: the engine's own log is not used after a crash, and what survives
// one is said by the value of Apply's last key.
func (b *Badger) Sync() error {
	if err := b.enter(); err != nil {
		return fmt.Errorf("index: sync: %w", err)
	}
	defer b.reads.RUnlock()
	return nil
}
