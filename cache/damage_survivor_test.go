package cache

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// playSurvivor makes the trials that come as lines of JSON on standard input and answers each with a line. Arg: a folder.
func playSurvivor(args []string) int {
	debug.SetTraceback("all")
	trees := map[string][]treeFile{}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		v := survivor{dir: args[0]}
		if err := json.Unmarshal(in.Bytes(), &v.trial); err != nil {
			fmt.Println(err)
			return 1
		}
		if trees[v.Store.Dir] == nil {
			files, err := loadTree(v.Store.Dir)
			if err != nil {
				fmt.Println(err)
				return 1
			}
			trees[v.Store.Dir] = files
		}
		b, err := json.Marshal(v.survive(trees[v.Store.Dir]))
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Printf("%s\n", b)
	}
	return 0
}

// survival is what became of a damaged store.
type survival struct {
	Err     string   // what it could not do
	Wrong   []string // entries with bytes that were never put
	Lost    []int    // entries not found after the damage could be noticed
	Noticed bool     // the index was found damaged when it was opened
	Rebuilt bool     // the index
	Merges  int      // in the index, while it may have been damaged
}

// survivor makes one trial.
type survivor struct {
	trial
	survival
	dir      string
	s        *Store
	versions map[int]int // of entries, where they are not 0
	merges   atomic.Int32
}

// survivorFlush is how many changes make a table, few enough that those of the new entries are merged with what may be damaged.
const survivorFlush = 400

// patience is how long a trial may last on a busy machine before it counts as hanging.
const patience = 2 * time.Minute

func (v *survivor) survive(files []treeFile) survival {
	defer time.AfterFunc(patience, func() { panic("the trial hangs") }).Stop()
	defer os.RemoveAll(v.dir)
	err := firstOf(os.RemoveAll(v.dir), storeTree(files, v.dir))
	rng := rand.New(rand.NewPCG(v.Seed, 0))
	for _, h := range v.Harms {
		err = firstOf(err, h.apply(v.dir, rng))
	}
	if err == nil {
		err = v.live(context.Background())
	}
	if err != nil {
		v.Err = err.Error()
	}
	return v.survival
}

// live uses the store in three lives. Damage has to be found by the end of the first, and to be healed in the third.
func (v *survivor) live(ctx context.Context) error {
	if err := v.open(ctx); err != nil {
		return err
	}
	v.Noticed = v.s.rebuild != nil
	v.look()
	if err := v.put(); err != nil {
		return err
	}
	err := v.s.Close(ctx)
	if err != nil && !v.hitsIndex() {
		return fmt.Errorf("first close: %w", err) // a damaged index may complain once
	}
	v.Merges = int(v.merges.Load())
	if err := v.open(ctx); err != nil {
		return err
	}
	v.Lost = v.look()
	v.Rebuilt = v.Noticed || exists(filepath.Join(v.dir, "quarantine", "index"))
	if err := firstOf(v.check(1), v.repair(), v.compact(ctx), v.s.Close(ctx)); err != nil {
		return fmt.Errorf("second life: %w", err)
	}
	if err := v.open(ctx); err != nil {
		return err
	}
	if v.s.incomplete() {
		return errors.New("the index is rebuilt once more")
	}
	if lost := v.look(); len(lost) > 0 {
		return fmt.Errorf("%d entries are lost after all was well: %.20v", len(lost), lost)
	}
	return firstOf(v.scrub(ctx), v.s.Close(ctx))
}

// scrub reads everything, or of very many new entries some.
func (v *survivor) scrub(ctx context.Context) error {
	if v.newEntries() == survivorPuts {
		return v.check(50)
	}
	r, err := v.s.Verify(ctx, nil)
	if err == nil && (r.Corrupt > 0 || r.Entries < int64(v.Store.Entries)) {
		err = fmt.Errorf("scrub of what was well: %+v", r)
	}
	return err
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

func (v *survivor) open(ctx context.Context) (err error) {
	o := batteryOptions()
	o.Logger = slog.New(mergeCount{&v.merges})
	se := osSeams(0)
	se.flushAfter = survivorFlush
	if v.s, err = open(ctx, v.dir, o, se); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return nil
}

// look reads every entry and returns those that are not there.
func (v *survivor) look() (lost []int) {
	for i := range v.Store.Entries {
		got, err := getText(v.s, fmt.Sprint("k", i))
		switch {
		case err != nil:
			v.Wrong = append(v.Wrong, fmt.Sprint(i, ": ", err))
		case got == "":
			lost = append(lost, i)
		case got != batteryText(i, v.versions[i]):
			v.Wrong = append(v.Wrong, fmt.Sprintf("%d: %.40q", i, got))
		}
	}
	return lost
}

// newEntries is how many entries are put over the damage: many where it is in the index, so that its merges run over
// what nothing has noticed.
func (v *survivor) newEntries() int {
	if v.hitsIndex() {
		return survivorPuts
	}
	return 200
}

// put puts the new entries, with several putters that share their commits.
func (v *survivor) put() error {
	const putters = 8
	var group sync.WaitGroup
	errs := make([]error, putters)
	for p := range putters {
		group.Go(func() {
			for i := p; i < v.newEntries() && errs[p] == nil; i += putters {
				errs[p] = putText(v.s, fmt.Sprint("n", i), fmt.Sprint("new ", i))
			}
		})
	}
	group.Wait()
	return firstOf(errs...)
}

// check demands every new entry, or one of so many.
func (v *survivor) check(oneOf int) error {
	for i := 0; i < v.newEntries(); i += oneOf {
		if got, err := getText(v.s, fmt.Sprint("n", i)); err != nil || got != fmt.Sprint("new ", i) {
			return fmt.Errorf("new entry %d: %q, %v", i, got, err)
		}
	}
	return nil
}

// repair puts again what was lost.
func (v *survivor) repair() error {
	for _, i := range v.Lost {
		if err := putText(v.s, fmt.Sprint("k", i), batteryText(i, 0)); err != nil {
			return fmt.Errorf("put what was lost: %w", err)
		}
	}
	if lost := v.look(); len(lost) > 0 {
		return fmt.Errorf("%d entries are lost again: %.20v", len(lost), lost)
	}
	return nil
}

// compact replaces most entries, so that the log can be compacted, damaged segments among others.
func (v *survivor) compact(ctx context.Context) error {
	v.versions = map[int]int{}
	for i := range v.Store.Entries {
		if i%3 == 0 {
			continue
		}
		v.versions[i] = 1
		if err := putText(v.s, fmt.Sprint("k", i), batteryText(i, 1)); err != nil {
			return fmt.Errorf("replace: %w", err)
		}
	}
	before := len(v.s.flog.Segments())
	err := v.s.compact(ctx)
	if after := len(v.s.flog.Segments()); before >= 6 && after > before/2 { // fewer when the log was deleted
		return fmt.Errorf("compaction leaves %d of %d segments: %v", after, before, err)
	}
	if lost := v.look(); len(lost) > 0 {
		return fmt.Errorf("compaction lost %d entries: %.20v", len(lost), lost)
	}
	return nil
}

// mergeCount counts the merges of the index that have ended, by what it logs.
type mergeCount struct{ n *atomic.Int32 }

func (c mergeCount) Enabled(context.Context, slog.Level) bool { return true }
func (c mergeCount) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c mergeCount) WithGroup(string) slog.Handler            { return c }
func (c mergeCount) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "index tables merged" {
		c.n.Add(1)
	}
	return nil
}
