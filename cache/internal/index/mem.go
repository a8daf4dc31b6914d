package index

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// Mem is the [Index] that keeps its records in memory, for tests: it is never damaged and never
// full. All of its methods are safe for concurrent use.
type Mem struct {
	mu      sync.RWMutex
	records []record // sorted by key
	closed  bool
}

type record struct{ key, value []byte }

var _ Index = (*Mem)(nil)

// NewMem returns an empty index.
func NewMem() *Mem { return &Mem{} }

// Clone returns an open index with the records that m has now, also when m is closed.
func (m *Mem) Clone() *Mem {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &Mem{records: slices.Clone(m.records)} // records themselves are never changed
}

// Len returns the number of records.
func (m *Mem) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.records)
}

func (m *Mem) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.records, key, func(r record, k []byte) int { return bytes.Compare(r.key, k) })
}

// Get implements [Index].
func (m *Mem) Get(key, dst []byte) ([]byte, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, false, fmt.Errorf("index: get: %w", ErrClosed)
	}
	i, ok := m.find(key)
	if !ok {
		return dst, false, nil
	}
	return append(dst, m.records[i].value...), true, nil
}

// Apply implements [Index].
func (m *Mem) Apply(ops []Op, last Op) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return fmt.Errorf("index: apply: %w", ErrClosed)
	}
	if err := checkOps(ops, last); err != nil {
		return fmt.Errorf("index: apply: %w", err)
	}
	for _, op := range ops {
		m.apply(op)
	}
	m.apply(last)
	return nil
}

func (m *Mem) apply(op Op) {
	i, ok := m.find(op.Key)
	switch {
	case op.Value == nil && ok:
		m.records = slices.Delete(m.records, i, i+1)
	case op.Value == nil:
	case ok:
		m.records[i] = record{m.records[i].key, clone(op.Value)}
	default:
		m.records = slices.Insert(m.records, i, record{clone(op.Key), clone(op.Value)})
	}
}

// clone copies b into a slice that is never nil: a nil value means a removal.
func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// Scan implements [Index].
func (m *Mem) Scan(prefix, start []byte) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		m.mu.RLock()
		if m.closed {
			m.mu.RUnlock()
			yield(Op{}, fmt.Errorf("index: scan: %w", ErrClosed))
			return
		}
		if bytes.Compare(start, prefix) < 0 {
			start = prefix
		}
		i, _ := m.find(start)
		records := slices.Clone(m.records[i:])
		m.mu.RUnlock()
		for _, r := range records {
			if !bytes.HasPrefix(r.key, prefix) || !yield(Op{Key: r.key, Value: r.value}, nil) {
				return
			}
		}
	}
}

// Merge implements [Index]: there is nothing to do.
func (m *Mem) Merge(bool) error { return m.noop("merge") }

// Sync implements [Index].
func (m *Mem) Sync() error { return m.noop("sync") }

func (m *Mem) noop(verb string) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return fmt.Errorf("index: %s: %w", verb, ErrClosed)
	}
	return nil
}

// Close implements [Index]. The records stay for Clone.
func (m *Mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
