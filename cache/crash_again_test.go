package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// next is a life on what is left of this one.
func (r *crashRun) next(tree *vfs.Mem, hook vfs.Hook, ix *index.Mem) *crashRun {
	n := *r
	n.mem, n.fault = tree, vfs.NewFaults(tree, hook)
	tree.Mkdir(filepath.Join(crashRoot, "index"), 0o777) // some have lost its name alone
	n.index, n.older = ix, map[any]*index.Mem{}
	n.keepOlder()
	n.acked = maps.Clone(r.acked)
	n.pending, n.ever = cloneTexts(r.pending), cloneTexts(r.ever)
	return &n
}

func cloneTexts(m map[string][]string) map[string][]string {
	c := map[string][]string{}
	for name, texts := range m {
		c[name] = slices.Clone(texts)
	}
	return c
}

// recovery is a life that begins with what another has left: it catches up with the log, reads everything, writes, and
// compacts. It stops at the first error.
func (r *crashRun) recovery() error {
	ctx := context.Background()
	s, err := open(ctx, crashRoot, r.opt, r.seams(r.fault, &r.index))
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	steps := []func() error{
		func() error { return r.getAll(s) },
		func() error { return r.put(s, "a", "inline again") },
		func() error { return r.put(s, "g", strings.Repeat("g ", 900)) },
		func() error { return r.delOnce(s, "d") },
		func() error { return r.fill(s, 4) },
		func() error { return r.compact(s) },
		func() error { s.commitMu.Lock(); defer s.commitMu.Unlock(); return s.flush(false) },
		func() error { return r.put(s, "d", "multi once more") },
		func() error { return r.getAll(s) },
		func() error { return s.Close(ctx) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *crashRun) getAll(s *Store) error {
	for _, name := range crashNames {
		if err := r.get(s, name); err != nil {
			return err
		}
	}
	return nil
}

// delOnce deletes what may be gone already.
func (r *crashRun) delOnce(s *Store, name string) error {
	err := r.del(s, name)
	if errors.Is(err, ErrNotFound) && r.allowed(name, "") {
		r.settle(name, "", nil)
		return nil
	}
	return err
}

// indexes are those that may stand in what is left. One that was put aside may if its folder is back.
func (r *crashRun) indexes(left *vfs.Mem) map[string]*index.Mem {
	if r.whole {
		return map[string]*index.Mem{"index in the tree": nil}
	}
	at := indexFolder(left)
	if at == nil {
		at = indexFolder(r.mem)
	}
	all := map[string]*index.Mem{"index as it was": r.index.Clone(), "no index": index.NewMem(), "older index": index.NewMem()}
	if older := r.older[at]; older != nil {
		all["older index"] = older.Clone()
	}
	return all
}

// again plays recovery on a tree, crashes it at every stride-th step, and opens what may be left with every index.
func (r *crashRun) again(t *testing.T, rng *rand.Rand, label string, tree *vfs.Mem, ix *index.Mem, stride int) bool {
	whole := r.next(tree.Kill(), nil, ix.Clone())
	if err := whole.recovery(); err != nil {
		t.Errorf("%s: second life: %v\n%v", label, err, tree)
		return false
	}
	for step := 1 + rng.IntN(stride); step <= whole.fault.Steps(); step += stride {
		n := r.next(tree.Kill(), vfs.TearAt(step), ix.Clone())
		err := n.recovery()
		op, crashed := n.fault.Crashed()
		if !crashed {
			t.Errorf("%s: step %d did not crash: %v", label, step, err)
			return false
		}
		for name, left := range n.mem.Crashes(rng, 1) {
			here := fmt.Sprintf("%s; crash at %v; %s", label, op, name)
			for which, ix := range n.indexes(left) {
				if !n.check(t, here+", "+which, left.Kill(), ix, true) {
					return false
				}
			}
			if !n.check(t, here+", index ahead", left, whole.index.Clone(), false) {
				return false
			}
		}
	}
	return true
}

// TestCrashDuringRecovery crashes a store, opens what is left, and crashes that life too, at each of its steps.
func TestCrashDuringRecovery(t *testing.T) {
	rng := testkit.Rand(t)
	steps, _ := crashSteps(t, Always)
	for range recoveryStarts {
		step := 1 + rng.IntN(steps)
		r := newCrashRun(vfs.TearAt(step), Always)
		if err := r.scenario(); !errors.Is(err, vfs.ErrCrashed) {
			t.Fatalf("step %d: %v, not the crash", step, err)
		}
		trees := maps.Collect(r.mem.Crashes(rng, 1))
		tree := pick(rng, trees)
		indexes := r.indexes(trees[tree])
		ix := pick(rng, indexes)
		label := fmt.Sprintf("first crash at step %d, %s, %s", step, tree, ix)
		if !r.again(t, rng, label, trees[tree], indexes[ix], recoveryStride) {
			return
		}
	}
}

func pick[V any](rng *rand.Rand, m map[string]V) string {
	names := slices.Sorted(maps.Keys(m))
	return names[rng.IntN(len(names))]
}

// TestCrashWhileMigrating crashes the life that writes the root's format line again, or reads the log into an index
// whose values it does not know, at each of its steps.
func TestCrashWhileMigrating(t *testing.T) {
	rng := testkit.Rand(t)
	starts := map[string]func(t *testing.T, r *crashRun){
		"format line damaged": func(t *testing.T, r *crashRun) {
			rewrite(t, r.mem, formatName, func(b []byte) []byte { b[9] ^= 1; return b })
		},
		"format line of an older version": func(t *testing.T, r *crashRun) {
			rewrite(t, r.mem, formatName, func([]byte) []byte { return []byte(signed("larder 0 " + formatIDText)) })
		},
		"format line lost": func(t *testing.T, r *crashRun) {
			if err := errors.Join(r.mem.Remove(crashRoot+"/FORMAT"), r.mem.SyncDir(crashRoot)); err != nil {
				t.Fatal(err)
			}
		},
		"index of another version": func(t *testing.T, r *crashRun) {
			value, ok, err := r.index.Get(checkpointKey, nil)
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			value[0]++
			if err := r.index.Apply(nil, index.Op{Key: checkpointKey, Value: value}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range starts {
		t.Run(name, func(t *testing.T) {
			r := newCrashRun(nil, Always)
			if err := r.scenario(); err != nil {
				t.Fatal(err)
			}
			change(t, r)
			r.again(t, rng, name, r.mem, r.index, recoveryStride)
		})
	}
}

// rewrite changes a file of the root durably.
func rewrite(t *testing.T, mem *vfs.Mem, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(crashRoot, name)
	text, err := readSmall(mem, path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mem.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(change([]byte(text)))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestOpenIsDurable demands of a root that was opened that a power loss leaves its format line.
func TestOpenIsDurable(t *testing.T) {
	rng := testkit.Rand(t)
	r := newCrashRun(nil, Group)
	s, err := open(t.Context(), crashRoot, r.opt, r.seams(r.fault, &r.index))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	want, err := readSmall(r.mem, crashRoot+"/FORMAT")
	if err != nil {
		t.Fatal(err)
	}
	for name, tree := range r.mem.Crashes(rng, 10) {
		if got, err := readSmall(tree, crashRoot+"/FORMAT"); err != nil || got != want {
			t.Errorf("%s: FORMAT is %q, %v, was %q", name, got, err, want)
		}
	}
}

// TestKilledFirstOpen kills the process that makes the root at each of its steps. What the next one makes durable
// must not stand in folders that are not.
func TestKilledFirstOpen(t *testing.T) {
	for step := 1; ; step++ {
		r := newCrashRun(vfs.CrashAt(step), Always)
		s, err := open(t.Context(), crashRoot, r.opt, r.seams(r.fault, &r.index))
		if err == nil {
			if err := s.Close(t.Context()); err != nil || step < 10 {
				t.Errorf("%d steps, close: %v", step, err)
			}
			return
		}
		n := r.next(r.mem.Kill(), nil, r.index)
		if s, err = open(t.Context(), crashRoot, n.opt, n.seams(n.fault, &n.index)); err != nil {
			t.Fatal(err)
		}
		if err := n.put(s, "a", strings.Repeat("a", 2000)); err != nil {
			t.Fatal(err)
		}
		n.check(t, fmt.Sprint("first killed at step ", step), n.mem.Crash(vfs.Loss{}), index.NewMem(), true)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestFoundFramesAreDurableBeforeTheIndexHasThem kills a replacement between its log frame and the fsync, opens the
// store again, and takes the power away when the index has the frame.
func TestFoundFramesAreDurableBeforeTheIndexHasThem(t *testing.T) {
	logSync := func(op vfs.Op) bool { return op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, ".log") }
	for name, lose := range map[string]bool{"index kept": false, "index lost before": true} {
		r := newCrashRun(nil, Always)
		s, err := open(t.Context(), crashRoot, r.opt, r.seams(r.fault, &r.index))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.put(s, "a", "acknowledged"); err != nil {
			t.Fatal(err)
		}
		r.fault.SetHook(vfs.When(logSync, vfs.Fault{Crash: true}))
		if err := r.put(s, "a", "never acknowledged"); !errors.Is(err, vfs.ErrCrashed) {
			t.Fatal(err)
		}
		if lose {
			r.index = index.NewMem()
		}
		n := r.next(r.mem.Kill(), nil, r.index)
		if s, err = open(t.Context(), crashRoot, n.opt, n.seams(n.fault, &n.index)); err != nil {
			t.Fatal(err)
		}
		if got, err := getText(s, "a"); got != "never acknowledged" || err != nil {
			t.Errorf("%s: before the power loss a is %q, error %v", name, got, err)
		}
		flushNow(t, s)
		n.check(t, name, n.mem.Crash(vfs.Loss{}), n.index.Clone(), true)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestCrashPointsAreAll demands that the crash tests visit each kind of call that the store makes on each kind of file.
func TestCrashPointsAreAll(t *testing.T) {
	seen := map[string]bool{}
	folder := func(p string) string {
		rel, err := filepath.Rel(crashRoot, p)
		if err != nil || strings.HasPrefix(rel, "..") {
			return "above"
		}
		parts := strings.Split(filepath.ToSlash(rel), "/")
		if len(parts) > 1 {
			parts[len(parts)-1] = "*"
		}
		if len(parts) == 3 {
			parts[1] = "*"
		}
		return strings.Join(parts, "/")
	}
	r := newCrashRun(func(op vfs.Op) vfs.Fault {
		if op.Step > 0 {
			seen[fmt.Sprint(op.Kind, " ", folder(op.Path))] = true
		}
		return vfs.Fault{}
	}, Always)
	if err := r.scenario(); err != nil {
		t.Fatal(err)
	}
	t.Log(slices.Sorted(maps.Keys(seen)))
	for _, want := range []string{
		"mkdir .", "mkdir log", "mkdir blobs", "mkdir tmp", "mkdir quarantine", "mkdir blobs/*",
		"syncdir above", "syncdir .", "syncdir blobs", "syncdir blobs/*", "syncdir log",
		"open FORMAT.tmp", "write FORMAT.tmp", "sync FORMAT.tmp", "rename FORMAT.tmp",
		"mkdir tmp/*", "open tmp/*/*", "write tmp/*/*", "rename tmp/*/*", "remove tmp/*/*", "remove tmp/*", "sync blobs/*/*", "remove blobs/*/*",
		"open log/*", "write log/*", "sync log/*", "remove log/*",
	} {
		if !seen[want] {
			t.Errorf("no crash at %q", want)
		}
	}
}
