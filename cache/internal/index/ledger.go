package index

import "sync"

// ledger compares what the engine's compactions read with what they take away. The engine takes a block that it cannot
// read for the end of its table, drops the rest and says nothing, so only the count of entries tells.
type ledger struct {
	mu          sync.Mutex
	list        func() []tableSize // the tables of now; nil while the engine is being opened
	tables      map[uint64]int64   // entries of every table seen
	pending     map[int]int64      // entries read by compactions that still run, by compactor
	read, gone  int64              // entries read by those that ended, and entries of tables that are no more
	compactions int
}

// tableSize is how many entries a table has, all versions and removals among them.
type tableSize struct {
	id      uint64
	entries int64
}

// open says how to list the tables. Compactions may already run.
func (l *ledger) open(list func() []tableSize) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = list
	l.tables = map[uint64]int64{}
	l.note()
}

// note adds the tables of now, and returns their ids.
func (l *ledger) note() map[uint64]bool {
	if l.list == nil {
		return nil
	}
	now := map[uint64]bool{}
	for _, t := range l.list() {
		l.tables[t.id] = t.entries
		now[t.id] = true
	}
	return now
}

// reads notes that a compactor has read entries. Its tables are still there.
func (l *ledger) reads(compactor int, entries int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note()
	if l.pending == nil {
		l.pending = map[int]int64{}
	}
	l.pending[compactor] += entries
}

// failed forgets what the compactor has read. Its tables stay.
func (l *ledger) failed(compactor int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, compactor)
}

// done compares, when the compactor has taken its tables away, and returns how many entries nobody has read.
func (l *ledger) done(compactor int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.compactions++
	now := l.note()
	l.read += l.pending[compactor]
	delete(l.pending, compactor)
	for id, entries := range l.tables {
		if !now[id] {
			l.gone += entries
			delete(l.tables, id)
		}
	}
	running := int64(0) // these may have taken their tables away, or not
	for _, n := range l.pending {
		running += n
	}
	lost := max(0, l.gone-l.read-running)
	if len(l.pending) == 0 {
		l.read, l.gone = 0, 0
	}
	return lost
}
