package cache

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

var (
	battery = flag.String("battery", "", `how many trials TestDamage makes: a number, "all", or "3/8" for the third eighth of all`)
	only    = flag.String("trial", "", "TestDamage makes only trials whose description matches this `regexp`")
)

// TestDamage damages a closed and a killed store and demands of each: no wrong bytes, no death of the process, a
// usable store that heals, and at least 99 % of the entries that were not hit. Merges of the index run over
// damage that nothing has noticed. It takes a sample; this takes everything:
//
//	go test -run '^TestDamage$' -timeout 0 -tags long ./cache -battery all
//
// and this a trial that failed: -trial 'closed, bit index/.* at 2870'.
func TestDamage(t *testing.T) {
	if !batteryRuns {
		t.Skip("files that are open cannot be replaced here")
	}
	rng := testkit.Rand(t)
	work := workFolder(t)
	closed, killed := buildStores(t, work)
	all := append(trials(t, closed), trials(t, killed)...)
	match := regexp.MustCompile(*only)
	all = slices.DeleteFunc(all, func(q *trial) bool { return !match.MatchString(q.String()) })
	list := choose(t, rng, all, *battery)
	t.Logf("%d of %d trials", len(list), len(all))
	// Sound stores first: nothing may be lost where nothing was damaged.
	list = append([]*trial{{Store: closed}, {Store: killed}}, list...)
	queue := make(chan *trial, len(list))
	for _, q := range list {
		q.Seed = rng.Uint64()
		queue <- q
	}
	close(queue)
	var group sync.WaitGroup
	tallies := make([]tally, min(4, runtime.GOMAXPROCS(0)))
	for i := range tallies {
		group.Go(func() { tallies[i].run(t, fmt.Sprint(work, "/work", i), queue) })
	}
	group.Wait()
	var sum tally
	for i := range tallies {
		sum.add(&tallies[i])
	}
	t.Logf("%+v", sum)
	if sum.Trials != len(list) {
		t.Errorf("%d of %d trials were made", sum.Trials, len(list))
	}
}

// workFolder is in memory where the system offers that: a trial writes a store of some MB and throws it away.
func workFolder(t *testing.T) string {
	const memory = "/dev/shm"
	if free, err := (vfs.OS{}).Free(memory); err == nil && free > 512<<20 {
		if dir, err := os.MkdirTemp(memory, "larder-damage-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

// choose takes a part of all trials. A sample has of every kind of file as many as it has of any other.
func choose(t *testing.T, rng *rand.Rand, all []*trial, part string) []*trial {
	var piece, pieces int
	if n, _ := fmt.Sscanf(part, "%d/%d", &piece, &pieces); n == 2 && 1 <= piece && piece <= pieces {
		var list []*trial
		for i := piece - 1; i < len(all); i += pieces {
			list = append(list, all[i])
		}
		return list
	}
	if part == "all" {
		return all
	}
	n := batteryTrials
	if part != "" {
		var err error
		if n, err = strconv.Atoi(part); err != nil || n < 0 {
			t.Fatalf("-battery %q", part)
		}
	}
	return sample(rng, all, n)
}

func sample(rng *rand.Rand, all []*trial, n int) (list []*trial) {
	groups := map[string][]*trial{}
	for _, q := range all {
		groups[q.group()] = append(groups[q.group()], q)
	}
	var names []string
	for name, g := range groups {
		names = append(names, name)
		rng.Shuffle(len(g), func(i, j int) { g[i], g[j] = g[j], g[i] })
	}
	slices.Sort(names)
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for n = min(n, len(all)); len(list) < n; {
		for _, name := range names {
			if g := groups[name]; len(g) > 0 && len(list) < n {
				list, groups[name] = append(list, g[0]), g[1:]
			}
		}
	}
	return list
}

// tally counts what became of trials.
type tally struct {
	Trials, Entries, Lost int
	Rebuilt               int // indexes
	Merged                int // indexes with damage that nothing had noticed before
	child                 *testkit.Child
	before                *trial
}

func (y *tally) add(o *tally) {
	y.Trials += o.Trials
	y.Entries += o.Entries
	y.Lost += o.Lost
	y.Rebuilt += o.Rebuilt
	y.Merged += o.Merged
}

// run gives trials to a child process, and to a new one when it has died.
func (y *tally) run(t *testing.T, dir string, queue <-chan *trial) {
	for q := range queue {
		if y.child == nil {
			y.child = testkit.Start(t, "survivor", dir)
		}
		b, err := json.Marshal(q)
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(y.child.In, "%s\n", b)
		line, err := y.child.Out.ReadBytes('\n')
		var r survival
		y.Trials++
		if err != nil || json.Unmarshal(line, &r) != nil {
			y.child.Kill()
			t.Errorf("%v: the process died: %v (the one before: %v)\n%.6000s", q, err, y.before, y.child.Stderr())
			y.child = nil
		} else {
			y.judge(t, q, &r)
		}
		y.before = q
	}
	if y.child == nil {
		return
	}
	if err := y.child.Wait(); err != nil {
		t.Errorf("the child ended with %v\n%.6000s", err, y.child.Stderr())
	}
}

func (y *tally) judge(t *testing.T, q *trial, r *survival) {
	if r.Err != "" || len(r.Wrong) > 0 {
		t.Errorf("%v: %s; %d wrong: %.5q", q, r.Err, len(r.Wrong), r.Wrong)
	}
	if r.Rebuilt {
		y.Rebuilt++
	}
	intact, lost := 0, 0
	for i := range q.Store.where {
		if !q.hits(&q.Store.where[i]) {
			intact++
			if slices.Contains(r.Lost, i) {
				lost++
			}
		}
	}
	y.Entries += intact
	y.Lost += lost
	if lost*100 > intact || len(q.Harms) == 0 && lost > 0 {
		t.Errorf("%v: %d of %d intact entries are lost", q, lost, intact)
	}
	if !q.hitsIndex() || r.Noticed {
		return
	}
	if y.Merged++; r.Merges == 0 && !r.Rebuilt {
		t.Errorf("%v: nothing found it and no merge ran over it", q)
	}
}

func (q *trial) String() string {
	texts := []string{q.Store.State}
	for _, h := range q.Harms {
		texts = append(texts, h.String())
	}
	return strings.Join(texts, ", ")
}
