package index

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/vfs"
)

// LSM is the [Index] that keeps its records in a folder: a log-structured merge tree without a
// goroutine of its own and without anything in memory but what leads to a record. Its methods are
// safe for concurrent use, as [Index] says.
//
// Each Apply writes a table, which is a sorted file. Each Merge does a share of the work of merging
// tables of about one size into one, so that there are few to look through. The ops of an Apply
// become visible together, once all of them are in the file. The death of the process loses nothing
// that Apply has returned for. A power loss may damage a table that Sync has not seen, or take it
// and all later ones.
//
// Every page is verified when it is read. A look-up or a scan that meets one that is damaged is
// ErrDamaged, whatever older tables say.
type LSM struct {
	fs     vfs.FS
	dir    string
	log    *slog.Logger
	limits limits

	closing sync.Once

	writes sync.Mutex // held by Apply, Merge and Sync; the fields after it are theirs
	next   uint64     // number of the next change
	merges []*merge
	pause  uint64 // no merge begins before this change
	debt   int    // ops since the last Merge
	sorted changes
	buf    []byte // of the last writer

	mu     sync.RWMutex // guards the fields after it; held for reading by Get
	tables []*table     // oldest first; replaced, never changed in place
	closed bool
	scans  sync.WaitGroup
}

var _ Index = (*LSM)(nil)

// Open opens or makes the index in dir, whose parent exists; nobody else may write there. A nil
// logger is silent. ErrDamaged says that the folder must be taken away and the index rebuilt; any
// other error says nothing about the records. Files of other names are left alone.
func Open(fsys vfs.FS, dir string, logger *slog.Logger) (*LSM, error) {
	return open(fsys, dir, logger, defaultLimits)
}

func open(fsys vfs.FS, dir string, logger *slog.Logger, l limits) (*LSM, error) {
	tables, err := discover(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("index: open: %w", err)
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	x := &LSM{fs: fsys, dir: dir, log: logger, limits: l, tables: tables}
	if n := len(tables); n > 0 {
		x.next = tables[n-1].last + 1
	}
	return x, nil
}

// Get implements [Index].
func (x *LSM) Get(key, dst []byte) ([]byte, bool, error) {
	value, ok, err := x.get(key, dst)
	if err != nil {
		return nil, false, fmt.Errorf("index: get: %w", err)
	}
	return value, ok, nil
}

func (x *LSM) get(key, dst []byte) ([]byte, bool, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return nil, false, ErrClosed
	}
	hash := xxhash.Sum64(key)
	for _, t := range slices.Backward(x.tables) {
		value, present, known, err := t.get(hash, key, dst)
		if err != nil {
			return nil, false, fmt.Errorf("%v: %w", t.span, err)
		}
		if known {
			return value, present, nil
		}
	}
	return dst, false, nil
}

// Apply implements [Index]. An error that is not ErrDamaged leaves everything as it was.
func (x *LSM) Apply(ops []Op, last Op) error {
	if err := x.apply(ops, last); err != nil {
		return fmt.Errorf("index: apply: %w", err)
	}
	return nil
}

func (x *LSM) apply(ops []Op, last Op) error {
	if err := checkOps(ops, last); err != nil {
		return err
	}
	x.writes.Lock()
	defer x.writes.Unlock()
	if x.isClosed() {
		return ErrClosed
	}
	x.sorted.sort(ops, last)
	t, err := x.writeTable()
	clear(x.sorted.ops)
	if err != nil {
		return damageOf(err)
	}
	x.next++
	x.debt += len(ops) + 1
	x.replace(nil, t)
	return nil
}

// writeTable makes the table of what is sorted.
func (x *LSM) writeTable() (*table, error) {
	w, err := newWriter(x.fs, x.dir, span{x.next, x.next}, len(x.sorted.ops))
	if err != nil {
		return nil, err
	}
	w.buf = x.buf
	var t *table
	if err = x.sorted.addTo(w); err == nil {
		t, err = w.finish()
	}
	if err != nil {
		return nil, errors.Join(err, w.discard())
	}
	x.buf = w.buf[:0]
	return t, nil
}

// Merge implements [Index]. What keeps it from writing is no error: it tries again later.
func (x *LSM) Merge(last bool) error {
	x.writes.Lock()
	defer x.writes.Unlock()
	if x.isClosed() {
		return fmt.Errorf("index: merge: %w", ErrClosed)
	}
	n := x.debt
	x.debt = 0
	err := x.mergeSome(n)
	if err == nil && last {
		err = x.mergeRest()
	}
	if err != nil {
		return fmt.Errorf("index: merge: %w", err)
	}
	return nil
}

func (x *LSM) isClosed() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.closed
}

// replace puts a table in the place of those that it was merged of, or at the end.
func (x *LSM) replace(old []*table, t *table) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := len(x.tables)
	if len(old) > 0 {
		at = slices.Index(x.tables, old[0])
	}
	x.tables = slices.Concat(x.tables[:at], []*table{t}, x.tables[at+len(old):])
}

// Scan implements [Index].
func (x *LSM) Scan(prefix, start []byte) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		if bytes.Compare(start, prefix) < 0 {
			start = prefix
		}
		tables, err := x.hold()
		if err == nil {
			defer x.scans.Done()
			defer releaseAll(tables)
			var stopped bool
			if stopped, err = scan(tables, prefix, start, yield); stopped {
				return
			}
		}
		if err != nil {
			yield(Op{}, fmt.Errorf("index: scan: %w", err))
		}
	}
}

// hold keeps the tables from being closed.
func (x *LSM) hold() ([]*table, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.closed {
		return nil, ErrClosed
	}
	x.scans.Add(1)
	for _, t := range x.tables {
		t.refs.Add(1)
	}
	return x.tables, nil
}

// scan reports whether the body stopped it.
func scan(tables []*table, prefix, start []byte, yield func(Op, error) bool) (stopped bool, err error) {
	j, err := newJoin(tables, start)
	for ; err == nil && j.op.Key != nil && bytes.HasPrefix(j.op.Key, prefix); err = j.step() {
		if j.op.Value != nil && !yield(j.op, nil) {
			return true, nil
		}
	}
	return false, err
}

// Sync implements [Index].
func (x *LSM) Sync() error {
	x.writes.Lock()
	defer x.writes.Unlock()
	if x.isClosed() {
		return fmt.Errorf("index: sync: %w", ErrClosed)
	}
	if err := syncTables(x.fs, x.dir, x.tables...); err != nil {
		return fmt.Errorf("index: sync: %w", err)
	}
	return nil
}

// syncTables makes tables and their names durable.
func syncTables(fsys vfs.FS, dir string, tables ...*table) error {
	tables = slices.DeleteFunc(slices.Clone(tables), func(t *table) bool { return t.synced })
	if len(tables) == 0 {
		return nil
	}
	for _, t := range tables {
		if err := t.file.Sync(); err != nil {
			return damagedf("%s: %w", t.path, err) // what reads show is no longer what the disk has
		}
	}
	err := fsys.SyncDir(dir)
	if vfs.IsUnopened(err) {
		return err
	}
	if err != nil {
		return damagedf("%s: %w", dir, err)
	}
	for _, t := range tables {
		t.synced = true
	}
	return nil
}

// Close implements [Index]. It waits for running scans, so the body of one must not call it. It
// makes nothing durable: see Sync.
func (x *LSM) Close() (err error) {
	x.closing.Do(func() { err = x.close() })
	if err != nil {
		return fmt.Errorf("index: close: %w", err)
	}
	return nil
}

func (x *LSM) close() error {
	x.writes.Lock()
	x.mu.Lock()
	tables := x.tables
	x.closed, x.tables = true, nil
	x.mu.Unlock()
	var errs []error
	for _, m := range x.merges {
		if m.out != nil {
			errs = append(errs, m.out.discard())
		}
	}
	x.merges = nil
	x.writes.Unlock() // the body of a scan may want it
	x.scans.Wait()
	return errors.Join(append(errs, releaseAll(tables))...)
}
