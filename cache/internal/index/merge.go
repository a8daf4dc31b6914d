package index

import (
	"errors"
	"math"
	"math/bits"
	"slices"
)

const (
	// fanout is how many tables of a size are merged into one. More would be more to look through, fewer would be
	// more to write.
	fanout = 4
	// mergeShare is how many records a Merge moves on in a merge for each that is new, so that it ends before
	// there are as many tables again.
	mergeShare = 4
	// manyTables is how many end every merge at once.
	manyTables = 32
	// mergePause is for how many changes no merge begins once one has failed, as on a full disk.
	mergePause = 64
)

// limits are what tests make smaller.
type limits struct {
	// step is how many records at least a Merge moves on in each merge that runs.
	step int
	// small is the number of pages below which tables are not told apart by their size.
	small uint32
	// sync is of how many pages a merged table is durable before what it replaces goes. Of smaller ones a power loss is
	// let take what can be rebuilt.
	sync uint32
}

// A step takes some milliseconds.
var defaultLimits = limits{step: 4 << 10, small: 256 << 10 / pageSize, sync: 8 << 20 / pageSize}

// level is the size of a table in steps of fanout.
func (x *LSM) level(t *table) int { return (bits.Len32(t.end/x.limits.small) + 1) / 2 }

var errNoRoom = errors.New("the disk has no room for the merged table")

// merge makes one table of some that follow each other, a few records at a time.
type merge struct {
	tables []*table
	join   *join
	out    *writer // nil: not begun
	oldest bool    // what was removed need not be remembered
}

// plan begins merges of tables that follow each other and are in none yet: all of them once the newer ones are together as large
// as the oldest, or the disk would hold old versions of most records, and else those of a size.
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
		if idle := tables[start:end]; start == 0 && x.outgrown(idle) {
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

// planSizes takes a table for one of the level of the largest that is newer, so that levels never fall with age.
func (x *LSM) planSizes(tables []*table) {
	level := 0
	for end := len(tables); end > 0; {
		level = max(level, x.level(tables[end-1]))
		start := end
		for start > 0 && x.level(tables[start-1]) <= level {
			start--
		}
		if end-start >= fanout {
			x.begin(tables[start:end])
		}
		end = start
	}
}

func (x *LSM) begin(tables []*table) {
	for _, t := range tables {
		t.merging = true
	}
	x.merges = append(x.merges, &merge{tables: slices.Clone(tables), oldest: tables[0].first == 0})
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

// giveUp ends a merge that has failed, and returns what it tells of the records.
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
	}
	return true, m.end(x)
}

func (m *merge) start(x *LSM) (err error) {
	records, size := uint64(0), int64(0)
	for _, t := range m.tables {
		records += t.records
		size += int64(t.end) * pageSize
	}
	if free, err := x.fs.Free(x.dir); err == nil && free < size {
		return errNoRoom // before it takes what there is from others
	}
	if m.join, err = newJoin(m.tables, nil); err != nil {
		return err
	}
	all := span{m.tables[0].first, m.tables[len(m.tables)-1].last}
	m.out, err = newWriter(x.fs, x.dir, all, int(records))
	return err
}

// end replaces the tables. A power loss must not bring back a state before one that Sync has promised: where one of them is
// durable the new one is before they go.
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
