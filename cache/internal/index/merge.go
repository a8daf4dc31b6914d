package index

import (
	"cmp"
	"errors"
	"math"
	"math/bits"
	"slices"
)

const (
	// fanout is how many tables of about one size are merged into one. If it were larger, a look-up
	// would have more tables to ask; if it were smaller, each record would be written more often.
	fanout = 4
	// mergeShare is how many records a Merge moves, in each merge that runs, for one new record. So
	// a merge ends before there are as many new tables as it has merged.
	mergeShare = 4
	// manyTables is the number of tables from which on a Merge runs every merge to its end.
	manyTables = 32
	// restRecords is how many records the last Merge moves to end merges. It takes 25 ms, and as
	// much of the disk as 16 MiB.
	restRecords = 128 << 10
	// mergePause is the number of changes to wait before merges begin again after one has failed,
	// as on a full disk.
	mergePause = 64
)

// limits are what tests make smaller.
type limits struct {
	// rest is the number of records that the last Merge may move to end merges.
	rest int
	// step is the least number of records that a Merge moves in each merge that runs.
	step int
	// small is a number of pages: tables that have fewer all count as equally large.
	small uint32
	// sync is a number of pages: a merged table that has as many is made durable before the tables
	// that it replaces are removed. A power loss may take smaller ones, which are quickly rebuilt.
	sync uint32
}

// A step takes some milliseconds.
var defaultLimits = limits{
	rest: restRecords, step: 4 << 10, small: 256 << 10 / pageSize, sync: 8 << 20 / pageSize,
}

// level is the size of a table in steps of fanout.
func (x *LSM) level(t *table) int { return (bits.Len32(t.end/x.limits.small) + 1) / 2 }

// merge makes one table of several neighbours, a few records at a time.
type merge struct {
	tables []*table
	left   uint64 // records to move, or fewer
	join   *join
	out    *writer // nil: not begun
	oldest bool    // nothing is older, so removed keys need not be remembered
}

// plan begins merges, each of neighbours that no merge has yet. Where these reach back to the oldest table, all of them
// are merged once the newer ones together are as large as the oldest; otherwise the disk would come to hold old versions
// of most records. All other merges are of tables of about one size. A merge that the disk has no room for is passed over, and does
// not keep smaller ones waiting: a look-up would have ever more tables to ask, and the process ever more files open.
func (x *LSM) plan() {
	if x.next < x.pause {
		return
	}
	tables := x.tables
	for end := len(tables); end > 0; {
		start := end
		for start > 0 && !tables[start-1].merging {
			start--
		}
		if idle := tables[start:end]; start == 0 && x.outgrown(idle) && x.hasRoom(idle) {
			x.begin(idle)
		} else {
			x.planSizes(idle)
		}
		for start > 0 && tables[start-1].merging {
			start--
		}
		end = start
	}
}

// outgrown reports whether the first table is no longer larger than the others together.
func (x *LSM) outgrown(tables []*table) bool {
	pages := uint64(0)
	for _, t := range tables[1:] {
		pages += uint64(t.end)
	}
	return pages >= uint64(tables[0].end) && x.level(tables[0]) > 0
}

// planSizes begins merges of tables of one level. A table that is smaller than a newer one counts
// as large as that: otherwise it would keep its larger neighbours on both sides from being merged.
func (x *LSM) planSizes(tables []*table) {
	level := 0
	for end := len(tables); end > 0; {
		level = max(level, x.level(tables[end-1]))
		start := end
		for start > 0 && x.level(tables[start-1]) <= level {
			start--
		}
		if end-start >= fanout && x.hasRoom(tables[start:end]) {
			x.begin(tables[start:end])
		}
		end = start
	}
}

// hasRoom reports whether the disk can take a merged table beside those that it is made of. One that finds out as it is
// written has taken what there is from others.
func (x *LSM) hasRoom(tables []*table) bool {
	size := int64(0)
	for _, t := range tables {
		size += int64(t.end) * pageSize
	}
	free, err := x.fs.Free(x.dir)
	return err != nil || free >= size
}

func (x *LSM) begin(tables []*table) {
	m := &merge{tables: slices.Clone(tables), oldest: tables[0].first == 0}
	for _, t := range tables {
		t.merging = true
		m.left += t.records
	}
	x.merges = append(x.merges, m)
}

// mergeSome does the share of the merges that n new records bring.
func (x *LSM) mergeSome(n int) error {
	x.plan()
	if n = max(x.limits.step, mergeShare*n); len(x.tables) >= manyTables {
		n = math.MaxInt
	}
	running := x.merges
	x.merges = nil
	var errs []error
	for _, m := range running {
		done, err := m.run(x, n)
		switch {
		case err != nil:
			errs = append(errs, x.giveUp(m, err))
		case !done:
			x.merges = append(x.merges, m)
		}
	}
	return errors.Join(errs...)
}

// mergeRest ends the merges that are nearly done, those with the least to do first.
func (x *LSM) mergeRest() error {
	for n := uint64(x.limits.rest); ; {
		x.plan()
		m := least(x.merges)
		if m == nil || m.left > n {
			return nil
		}
		n -= m.left
		x.merges = slices.DeleteFunc(x.merges, func(o *merge) bool { return o == m })
		if _, err := m.run(x, math.MaxInt); err != nil {
			return x.giveUp(m, err)
		}
	}
}

// least returns the merge that has the least to do, nil if there is none.
func least(merges []*merge) *merge {
	if len(merges) == 0 {
		return nil
	}
	return slices.MinFunc(merges, func(a, b *merge) int { return cmp.Compare(a.left, b.left) })
}

// giveUp ends a merge that has failed. It returns the error only if that means damage; any other
// says nothing about the records, and the tables will be merged later.
func (x *LSM) giveUp(m *merge, err error) error {
	if m.out != nil {
		err = errors.Join(err, m.out.discard())
	}
	if errors.Is(err, ErrDamaged) {
		return err
	}
	for _, t := range m.tables {
		t.merging = false
	}
	x.pause = x.next + mergePause
	x.log.Warn("index tables cannot be merged yet", "error", err)
	return nil
}

// run moves a merge on by n records, and puts the new table in its place at the end.
func (m *merge) run(x *LSM, n int) (done bool, err error) {
	if m.out == nil {
		if err := m.start(x); err != nil {
			return false, err
		}
	}
	for ; m.join.op.Key != nil; n-- {
		if n <= 0 {
			return false, nil
		}
		if m.join.op.Value != nil || !m.oldest {
			if err := m.out.add(m.join.op); err != nil {
				return false, err
			}
		}
		if err := m.join.step(); err != nil {
			return false, err
		}
		m.left--
	}
	return true, m.end(x)
}

func (m *merge) start(x *LSM) (err error) {
	if m.join, err = newJoin(m.tables, nil); err != nil {
		return err
	}
	all := span{m.tables[0].first, m.tables[len(m.tables)-1].last}
	m.out, err = newWriter(x.fs, x.dir, all, int(m.left))
	return err
}

// end puts the new table in the place of the old ones. If one of the old ones is durable, the new
// one is made durable first: otherwise a power loss could bring back a state older than one that
// Sync has promised to keep.
func (m *merge) end(x *LSM) error {
	t, err := m.out.finish()
	if err != nil {
		return err
	}
	durable := slices.ContainsFunc(m.tables, func(t *table) bool { return t.synced || t.found })
	if durable || t.end >= x.limits.sync {
		if err := syncTables(x.fs, x.dir, t); err != nil {
			return err
		}
	}
	x.log.Debug("index tables merged", "tables", len(m.tables), "records", t.records)
	x.replace(m.tables, t)
	for _, old := range m.tables {
		old.doomed.Store(true)
		if err := old.release(); err != nil {
			x.log.Warn("merged index table stays until the next open", "error", err)
		}
	}
	return nil
}
