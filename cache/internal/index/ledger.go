package index

import (
	"sync"

	"github.com/cespare/xxhash/v2"
)

// ledger counts entries into and out of the engine's tables. The engine's compaction takes a block that it cannot
// read for the end of a table and drops the rest without a word; at Close the count tells.
type ledger struct {
	mu      sync.Mutex
	balance int64         // entries that all tables must have once everything is flushed
	pending map[int]int64 // entries that compactions still running mean to drop, by compactor
	done    int           // compactions so far
}

func (l *ledger) open(entries int64) {
	l.balance = entries
	l.pending = map[int]int64{}
}

func (l *ledger) add(entries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.balance += int64(entries)
}

// skipped notes old versions and removals that a compactor leaves out.
func (l *ledger) skipped(compactor int, entries uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending[compactor] += int64(entries)
}

// finished says how the compaction ended that was pending.
func (l *ledger) finished(compactor int, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if done {
		l.done++
		l.balance -= l.pending[compactor]
	}
	delete(l.pending, compactor)
}

// missing returns how many entries the tables lack that now have this many.
func (l *ledger) missing(entries int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.balance - entries
}

// distinct counts the different keys of one transaction, by their hashes.
type distinct struct {
	slots []uint64
	count int
}

func (d *distinct) reset() {
	clear(d.slots)
	d.count = 0
}

func (d *distinct) add(key []byte) {
	if 2*d.count >= len(d.slots) {
		d.grow()
	}
	d.insert(xxhash.Sum64(key) | 1) // 0 is an empty slot
}

func (d *distinct) insert(h uint64) {
	mask := uint64(len(d.slots) - 1)
	for i := h >> 20 & mask; d.slots[i] != h; i = (i + 1) & mask {
		if d.slots[i] == 0 {
			d.slots[i] = h
			d.count++
			return
		}
	}
}

func (d *distinct) grow() {
	old := d.slots
	d.slots = make([]uint64, max(16, 2*len(old)))
	d.count = 0
	for _, h := range old {
		if h != 0 {
			d.insert(h)
		}
	}
}
