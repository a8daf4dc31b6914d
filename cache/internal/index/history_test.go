package index_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

const folder = "/d/index"

// history is a row of changes with the state after each.
type history struct {
	changes [][]index.Op
	states  []map[string]string // one more than changes
}

const historyKeys = 300

// newHistory makes n changes of some keys. The key "n" counts them.
func newHistory(rng *rand.Rand, n int) *history {
	h := &history{states: []map[string]string{{}}}
	for i := range n {
		var ops []index.Op
		for range 1 + rng.IntN(60) {
			op := index.Op{Key: key('k', rng.IntN(historyKeys))}
			if rng.IntN(3) > 0 {
				op.Value = testkit.Bytes(rng, rng.IntN(200))
			}
			ops = append(ops, op)
		}
		h.add(append(ops, set([]byte("n"), fmt.Sprint(i+1))))
	}
	return h
}

func (h *history) add(ops []index.Op) {
	state := maps.Clone(h.states[len(h.states)-1])
	for _, op := range ops {
		if state[string(op.Key)] = string(op.Value); op.Value == nil {
			delete(state, string(op.Key))
		}
	}
	h.changes, h.states = append(h.changes, ops), append(h.states, state)
}

// lived is how far a life came.
type lived struct {
	applied int // changes that were acknowledged
	synced  int // of them durable
	err     error
}

// live makes the changes from the given one on, and syncs now and then.
func (h *history) live(x *index.LSM, from int, rng *rand.Rand) (l lived) {
	l.applied = from
	for _, ops := range h.changes[from:] {
		if l.err = x.Apply(ops[:len(ops)-1], ops[len(ops)-1]); l.err != nil {
			return l
		}
		l.applied++
		if l.err = x.Merge(rng.IntN(4) == 0); l.err != nil {
			return l
		}
		if rng.IntN(12) == 0 {
			if l.err = x.Sync(); l.err != nil {
				return l
			}
			l.synced = l.applied
		}
	}
	return l
}

// is returns which state the index holds, and demands that it is one, or that what differs is ErrDamaged.
func (h *history) is(x index.Index, least, most int) (n int, err error) {
	v, ok, err := x.Get([]byte("n"), nil)
	if err != nil {
		return 0, err
	}
	if ok {
		fmt.Sscan(string(v), &n)
	}
	if n < least || n > most {
		return n, fmt.Errorf("state %d, not from %d to %d", n, least, most)
	}
	var damage error
	state := h.states[n]
	for i := range historyKeys {
		k := key('k', i)
		v, ok, err := x.Get(k, nil)
		want, has := state[string(k)]
		if errors.Is(err, index.ErrDamaged) {
			damage = err
		} else if err != nil || ok != has || string(v) != want {
			return n, fmt.Errorf("state %d: key %d is %.20q, %v, %v, not %.20q", n, i, v, ok, err, want)
		}
	}
	keys := slices.Sorted(maps.Keys(state))
	for op, err := range x.Scan(nil, nil) {
		if errors.Is(err, index.ErrDamaged) {
			return n, err
		}
		if err != nil || len(keys) == 0 || string(op.Key) != keys[0] || string(op.Value) != state[keys[0]] {
			return n, fmt.Errorf("state %d: scan gives %.20q, %v", n, op.Key, err)
		}
		keys = keys[1:]
	}
	if len(keys) > 0 {
		return n, fmt.Errorf("state %d: a scan ends %d keys early", n, len(keys))
	}
	return n, damage
}

func openSmall(t testing.TB, fsys vfs.FS) *index.LSM {
	t.Helper()
	x, err := index.OpenSmall(fsys, folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// TestMergesChangeNothing compares each state, over closes and kills.
func TestMergesChangeNothing(t *testing.T) {
	rng := testkit.Rand(t)
	h := newHistory(rng, 300)
	mem := vfs.NewMem("/d")
	x := openSmall(t, mem)
	most := 0
	for n, ops := range h.changes {
		apply(t, x, ops...)
		most = max(most, x.Tables())
		if rng.IntN(10) > 0 {
			continue
		}
		if _, err := h.is(x, n+1, n+1); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(3) == 0 {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = openSmall(t, mem)
		} else if rng.IntN(2) == 0 {
			mem = mem.Kill()
			x = openSmall(t, mem)
		}
	}
	if _, err := h.is(x, 300, 300); err != nil {
		t.Error(err)
	}
	if most > 16 {
		t.Errorf("there were %d tables", most)
	}
	files, err := mem.ReadDir(folder)
	if err != nil || len(files) > x.Tables()+2 {
		t.Errorf("%d files for %d tables, %v", len(files), x.Tables(), err)
	}
}

// TestCrashes ends a life at each of its steps. A kill leaves all that was acknowledged; a power loss leaves
// a state no older than the last that was synced, or damage that is noticed.
func TestCrashes(t *testing.T) {
	rng := testkit.Rand(t)
	h := newHistory(rng, 60)
	var seed uint64
	life := func(hook vfs.Hook) (*vfs.Mem, lived, *vfs.Faults) {
		mem := vfs.NewMem(folder)
		faults := vfs.NewFaults(mem, hook)
		x, err := index.OpenSmall(faults, folder)
		l := lived{err: err}
		if err == nil {
			l = h.live(x, 0, rand.New(rand.NewPCG(seed, 0)))
		}
		return mem, l, faults
	}
	var steps int
	for whole := (lived{}); whole.synced == 0; { // one life in two hundred does not sync
		seed = rng.Uint64()
		var faults *vfs.Faults
		if _, whole, faults = life(nil); whole.err != nil {
			t.Fatal(whole)
		}
		steps = faults.Steps()
	}
	damaged, trees := 0, 0
	for step := 1 + rng.IntN(crashStride); step <= steps; step += crashStride {
		mem, l, faults := life(vfs.TearAt(step))
		if _, crashed := faults.Crashed(); !crashed {
			t.Fatalf("step %d: no crash, %v", step, l.err)
		}
		for name, tree := range mem.Crashes(rng, 3) {
			least := l.synced
			if name == "kill" {
				least = l.applied
			}
			trees++
			if err := h.goesOn(tree, least, l.applied+1, rng); name != "kill" && errors.Is(err, index.ErrDamaged) {
				damaged++
			} else if err != nil {
				t.Fatalf("step %d, %s, %d applied, %d synced: %v\n%v", step, name, l.applied, l.synced, err, tree)
			}
		}
	}
	t.Logf("%d steps, %d trees, of them %d damaged", steps, trees, damaged)
}

// TestSyncIsDurable loses power after a sync, with merges under way.
func TestSyncIsDurable(t *testing.T) {
	rng := testkit.Rand(t)
	h := newHistory(rng, 45)
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	for n, ops := range h.changes {
		apply(t, x, ops...)
		if err := x.Sync(); err != nil {
			t.Fatal(err)
		}
		left := openSmall(t, mem.Crash(vfs.Loss{}))
		if _, err := h.is(left, n+1, n+1); err != nil {
			t.Fatal(err)
		}
		left.Close()
	}
}

// TestSyncWithoutDescriptors syncs while the folder cannot be opened: that is no damage, and the next Sync makes durable
// what this one did not.
func TestSyncWithoutDescriptors(t *testing.T) {
	mem := vfs.NewMem(folder)
	faults := vfs.NewFaults(mem, nil)
	x := openSmall(t, faults)
	apply(t, x, set([]byte("a"), "1"))
	faults.SetHook(vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpSyncDir }, vfs.Fault{Err: syscall.EMFILE, Unopened: true}))
	if err := x.Sync(); !errors.Is(err, syscall.EMFILE) || errors.Is(err, index.ErrDamaged) {
		t.Errorf("without descriptors: %v", err)
	}
	faults.SetHook(nil)
	if err := x.Sync(); err != nil {
		t.Fatal(err)
	}
	want(t, openSmall(t, mem.Crash(vfs.Loss{})), []byte("a"), "1", true)
}

// TestSyncOutlivesItsLife syncs in one life and merges in the next: no power loss then leaves less than what was synced,
// but for damage that is noticed.
func TestSyncOutlivesItsLife(t *testing.T) {
	rng := testkit.Rand(t)
	h := newHistory(rng, 12)
	const synced = 3
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	for _, ops := range h.changes[:synced] {
		apply(t, x, ops...)
	}
	if err := errors.Join(x.Sync(), x.Close()); err != nil {
		t.Fatal(err)
	}
	x = openSmall(t, mem)
	for n, ops := range h.changes[synced:] {
		apply(t, x, ops...)
		for range 40 {
			tree := mem.Crash(vfs.Loss{Entries: vfs.Mixed, Rand: rng})
			if err := h.goesOn(tree, synced, synced+n+1, rng); err != nil && !errors.Is(err, index.ErrDamaged) {
				t.Fatalf("after change %d: %v\n%v", synced+n, err, tree)
			}
		}
	}
}

// goesOn opens what is left and makes the changes that are missing.
func (h *history) goesOn(tree *vfs.Mem, least, most int, rng *rand.Rand) error {
	x, err := index.OpenSmall(tree, folder)
	if err != nil {
		return err
	}
	defer x.Close()
	if files, err := tree.ReadDir(folder); err != nil || len(files) != x.Tables() {
		return fmt.Errorf("%d tables in %v, %w", x.Tables(), files, err)
	}
	n, err := h.is(x, least, most)
	if err != nil {
		return err
	}
	if l := h.live(x, n, rng); l.err != nil {
		return l.err
	}
	_, err = h.is(x, len(h.changes), len(h.changes))
	return err
}

// TestEachCallFails lets each call fail once. An error that is not ErrDamaged leaves everything as it was, and the index
// goes on.
func TestEachCallFails(t *testing.T) {
	rng := testkit.Rand(t)
	h := newHistory(rng, 40)
	seed := rng.Uint64()
	for _, cause := range []error{errIO, errFull} {
		for call := 1 + rng.IntN(failStride); ; call += failStride {
			var failed vfs.Op
			mem := vfs.NewMem("/d")
			x, err := index.OpenSmall(vfs.NewFaults(mem, func(op vfs.Op) (f vfs.Fault) {
				if op.Call == call {
					failed = op
				}
				if op.Call == call && (cause == errIO || op.Step > 0) { // a read needs no space
					f.Err, f.Partial = cause, op.Size/2
				}
				return f
			}), folder)
			if err == nil {
				err = h.endure(x, rand.New(rand.NewPCG(seed, 0)))
				x.Close()
			}
			if err != nil && !errors.Is(err, cause) {
				t.Fatalf("%v, %v: %v", failed, cause, err)
			}
			if failed.Call == 0 {
				break
			}
			if err != nil { // damaged
				continue
			}
			if err := h.goesOn(mem.Kill(), 40, 40, rng); err != nil {
				t.Fatalf("%v, %v: after a kill: %v", failed, cause, err)
			}
		}
	}
}

// endure makes all changes, each again when it failed.
func (h *history) endure(x *index.LSM, rng *rand.Rand) error {
	for n := 0; n < len(h.changes); {
		l := h.live(x, n, rng)
		if n = l.applied; l.err == nil {
			continue
		}
		if errors.Is(l.err, index.ErrDamaged) {
			return l.err
		}
		if _, err := h.is(x, n, n); err != nil {
			return fmt.Errorf("after %w: %v", l.err, err)
		}
	}
	_, err := h.is(x, len(h.changes), len(h.changes))
	return err
}

// TestFullDisk takes what has room, and everything once there is room again.
func TestFullDisk(t *testing.T) {
	rng := testkit.Rand(t)
	h := newHistory(rng, 100)
	mem := vfs.NewMem("/d")
	mem.SetSize(100 << 10)
	x := openSmall(t, mem)
	l := h.live(x, 0, rng)
	if !vfs.IsNoSpace(l.err) || errors.Is(l.err, index.ErrDamaged) || l.applied == 0 {
		t.Fatal(l)
	}
	if _, err := h.is(x, l.applied, l.applied); err != nil {
		t.Error(err)
	}
	mem.SetSize(-1)
	if l = h.live(x, l.applied, rng); l.err != nil {
		t.Error(l.err)
	}
	if _, err := h.is(x, 100, 100); err != nil {
		t.Error(err)
	}
	if n := x.Tables(); n > 16 {
		t.Errorf("%d tables: no merge began again", n)
	}
}

// TestMergeBeginsAgain lets the first merge fail: its tables are merged later.
func TestMergeBeginsAgain(t *testing.T) {
	failed := false
	mem := vfs.NewMem(folder)
	x := openSmall(t, vfs.NewFaults(mem, func(op vfs.Op) (f vfs.Fault) {
		if merged := strings.HasSuffix(op.Path, "0000000000000000-0000000000000003.table"); merged && !failed {
			failed, f.Err = true, errFull
		}
		return f
	}))
	for i := range 100 {
		apply(t, x, set(key('k', i), "value"))
	}
	files, err := mem.ReadDir(folder)
	if err != nil || !failed || len(files) > 12 {
		t.Errorf("failed %v, %d files, %v", failed, len(files), err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "0000-0000000000000000.table") {
			t.Error("the first table was never merged")
		}
	}
}

// TestNoMergeWithoutRoom does not begin a merge whose table the disk cannot take.
func TestNoMergeWithoutRoom(t *testing.T) {
	mem := vfs.NewMem(folder)
	mem.SetSize(32 << 10)
	x := openSmall(t, vfs.NewFaults(mem, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpOpen && !strings.HasSuffix(op.Path, "0-0000000000000000.table") && strings.Contains(op.Path, "/0000000000000000-") {
			t.Errorf("%v with %d bytes free", op, 32<<10)
		}
		return vfs.Fault{}
	}))
	for i := range 4 { // of 6 KiB each
		apply(t, x, set(key('k', i), "value"))
	}
	if n := x.Tables(); n != 4 {
		t.Errorf("%d tables", n)
	}
}

// TestMergesGoOnWithoutRoom has a disk with room for small merges, but not for one of all tables, which is due for as long.
func TestMergesGoOnWithoutRoom(t *testing.T) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	var ops []index.Op
	for i := range 200 {
		ops = append(ops, index.Op{Key: key('k', i), Value: make([]byte, 400)})
	}
	apply(t, x, ops...) // a table of 108 KiB
	for i := range 400 {
		mem.SetSize(1 << 30)
		free, err := mem.Free(folder)
		if err != nil {
			t.Fatal(err)
		}
		mem.SetSize(1<<30 - free + 100<<10)
		apply(t, x, ops[i%len(ops)])
	}
	if n := x.Tables(); n > 30 {
		t.Errorf("%d tables", n)
	}
}

// TestLargeMergedTablesAreDurable loses power without a sync: a large table that has replaced others is there.
func TestLargeMergedTablesAreDurable(t *testing.T) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	seen := 0
	for i := range 60 {
		var ops []index.Op
		for j := range 30 {
			ops = append(ops, index.Op{Key: key('k', 30*i+j), Value: make([]byte, 400)})
		}
		apply(t, x, ops...)
		left := readAll(t, mem.Crash(vfs.Loss{}))
		for name, b := range readAll(t, mem) {
			first, last, _ := strings.Cut(strings.TrimSuffix(name, ".table"), "-")
			merging := x.Merging(name)
			if first == last || merging || len(b) <= index.SmallSync*index.PageSize {
				continue
			}
			if seen++; !bytes.Equal(left[name], b) {
				t.Errorf("after change %d: of %s %d bytes are durable, not %d", i, name, len(left[name]), len(b))
			}
		}
	}
	if seen == 0 {
		t.Error("no table is large")
	}
}

// TestMergesWait fails merges for a while: they are not tried at every change, and afterwards the many tables go at once.
func TestMergesWait(t *testing.T) {
	full, tries := true, 0
	mem := vfs.NewMem(folder)
	x := openSmall(t, vfs.NewFaults(mem, func(op vfs.Op) (f vfs.Fault) {
		first, last, _ := strings.Cut(strings.TrimSuffix(filepath.Base(op.Path), ".table"), "-")
		if full && op.Kind == vfs.OpOpen && first != last {
			tries++
			f.Err = errFull
		}
		return f
	}))
	change := func(n int) {
		t.Helper()
		for i := range n {
			apply(t, x, set(key('k', i), "value"))
		}
	}
	change(60)
	if n := x.Tables(); tries == 0 || tries > 2 || n != 60 {
		t.Errorf("%d tries at 60 tables, %d are left", tries, n)
	}
	full = false
	most := 0
	for range 20 {
		change(1)
		most = max(most, x.Tables())
	}
	if n := x.Tables(); n > 16 || most > 67 {
		t.Errorf("%d tables are left of %d", n, most)
	}
}

// TestOldVersionsGo writes the same keys again and again: all tables together stay within two and a half times what they hold.
func TestOldVersionsGo(t *testing.T) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	var ops []index.Op
	for i := range historyKeys {
		ops = append(ops, index.Op{Key: key('k', i), Value: make([]byte, 400)})
	}
	apply(t, x, ops...)
	size := func() (sum int) {
		for _, b := range readAll(t, mem) {
			sum += len(b)
		}
		return sum
	}
	one, most := size(), 0
	for i := range 200 {
		at := 30 * (i % 10)
		apply(t, x, ops[at:at+30]...)
		most = max(most, size())
	}
	if 2*most > 5*one {
		t.Errorf("%d bytes hold what takes %d", most, one)
	}
}

// TestKillBeforeMergeSync kills a process between the end of a merged table and its sync, and has the power fail once the
// index was opened again: what was durable before the merge still is.
func TestKillBeforeMergeSync(t *testing.T) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, vfs.NewFaults(mem, func(op vfs.Op) (f vfs.Fault) {
		first, last, _ := strings.Cut(strings.TrimSuffix(filepath.Base(op.Path), ".table"), "-")
		f.Crash = op.Kind == vfs.OpSync && first != last // of a merged table
		return f
	}))
	for i := range 4 {
		if err := x.Apply(nil, set([]byte("n"), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := x.Merge(false); err == nil {
		t.Fatal("nothing was merged")
	}
	killed := mem.Kill()
	openSmall(t, killed)
	y := openSmall(t, killed.Crash(vfs.Loss{Bytes: vfs.Lost, Entries: vfs.Kept}))
	if v, ok, err := y.Get([]byte("n"), nil); !ok || err != nil || string(v) != "3" {
		t.Errorf("after the power loss: %q, %v, %v", v, ok, err)
	}
}

// TestCloseBesideScanThatApplies closes while the body of a scan writes.
func TestCloseBesideScanThatApplies(t *testing.T) {
	x := openSmall(t, vfs.NewMem(folder))
	apply(t, x, set([]byte("k"), "v"))
	closed := make(chan error)
	for op, err := range x.Scan([]byte("k"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		go func() { closed <- x.Close() }()
		for err == nil { // until Close has begun
			_, _, err = x.Get(op.Key, nil)
		}
		if err := x.Apply(nil, set([]byte("k"), "w")); !errors.Is(err, index.ErrClosed) {
			t.Errorf("apply while the index is closed: %v", err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
