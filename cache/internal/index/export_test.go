package index

import (
	"os"
	"path/filepath"
	"time"
)

// Small returns o with memory tables so small that a few hundred records are flushed.
func Small(o Options) Options {
	o.memtable = 256 << 10
	return o
}

// FirstLevel returns the number of tables that wait to be merged with the levels below.
func (b *Badger) FirstLevel() int { return b.db.Levels()[0].NumTables }

// Reading runs f inside a call that reads.
func (b *Badger) Reading(f func()) {
	if b.enter() == nil {
		defer b.reads.RUnlock()
		f()
	}
}

// Awaited reports whether somebody waits for the end of all calls that read.
func (b *Badger) Awaited() bool {
	if b.reads.TryRLock() {
		b.reads.RUnlock()
		return false
	}
	return true
}

// Discarded returns up to which version the engine may drop what is replaced.
func (b *Badger) Discarded() uint64 {
	b.writes.Lock()
	defer b.writes.Unlock()
	return b.discarded
}

// Compactions returns how many have ended.
func (b *Badger) Compactions() int {
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	return b.ledger.compactions
}

// Bless makes the next open of a closed index believe that its tables are what they were, as when a disk gives
// back other bytes without a change of times. Tables that were young at the close may be others all the same.
func Bless(dir string, young bool) error {
	s, err := look(dir)
	if err != nil {
		return err
	}
	for id, sig := range s.known {
		info, err := os.Stat(filepath.Join(dir, tableName(id)))
		if err != nil {
			return err
		}
		sig.size = uint64(info.Size())
		sig.modified = info.ModTime().UnixNano()
		sig.changed, sig.inode = changeTime(info)
		sig.fresh = 0
		if young {
			sig.fresh = 1
		}
		s.known[id] = sig
	}
	return os.WriteFile(filepath.Join(dir, s.phase.file()), s.known.encode(), 0o666)
}

// Recognized returns how many tables of a closed index have the signature they had at the last close.
func Recognized(dir string) (n int, err error) {
	s, err := look(dir)
	if err != nil {
		return 0, err
	}
	for id, sig := range s.known {
		t, err := openTable(dir, id)
		if err != nil {
			return 0, err
		}
		if sig.same(t.signature(id, time.Now())) {
			n++
		}
		t.close()
	}
	return n, nil
}

// Blocks returns where the blocks of a table end.
func Blocks(path string) ([]int, error) {
	id, _ := tableID(filepath.Base(path))
	t, err := openTable(filepath.Dir(path), id)
	if err != nil {
		return nil, err
	}
	defer t.close()
	x, err := t.index(newScratch())
	var ends []int
	for i := range x.blocks {
		b, _ := x.block(i)
		ends = append(ends, int(b.offset+b.size))
	}
	return ends, err
}
