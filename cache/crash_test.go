package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// crashRoot is the root of the stores below. Of it /d is already there.
const crashRoot = "/d/deep/store"

// crashRun is one run of the scenario on a file system that may crash under it.
type crashRun struct {
	mem   *vfs.Mem
	fault *vfs.Faults
	opt   Options
	index *index.Mem
	older map[any]*index.Mem // by its folder: the oldest state that a power loss may bring back

	acked   map[string]string   // by key name: what was acknowledged; "" deleted
	pending map[string][]string // what a crashed call may have left
	ever    map[string][]string // all that was put
	whole   bool                // the index is in mem, too
	removed int                 // segments that compaction has removed
	faulty  bool                // a read may fail
	silent  bool                // a crash is not damage: nothing is reported
}

func newCrashRun(hook vfs.Hook, d Durability) *crashRun {
	mem := vfs.NewMem("/d")
	opt, _ := (&Options{Durability: d, Reserve: -1}).withDefaults()
	return &crashRun{mem: mem, fault: vfs.NewFaults(mem, hook), opt: opt, index: index.NewMem(),
		older: map[any]*index.Mem{}, acked: map[string]string{}, pending: map[string][]string{}, ever: map[string][]string{}}
}

// keepOlder notes that a power loss may bring back the index as it is, and no older one of the same folder.
func (r *crashRun) keepOlder() { r.older[indexFolder(r.mem)] = r.index.Clone() }

// indexFolder identifies the folder of the index; nil is none.
func indexFolder(mem *vfs.Mem) any {
	fi, err := mem.Lstat(filepath.Join(crashRoot, "index"))
	if err != nil {
		return nil
	}
	return fi.Sys()
}

// seams opens *ix, and an empty one in its place once it was put aside; of the whole, what is in fsys.
func (r *crashRun) seams(fsys vfs.FS, ix **index.Mem) seams {
	if r.whole {
		return seams{fs: fsys, segmentBytes: 4 << 10}
	}
	under, opened := fsys, false
	if fsys == vfs.FS(r.fault) {
		under = r.mem
	}
	return seams{fs: fsys, segmentBytes: 4 << 10, openIndex: func() (index.Index, error) {
		if made := under.Mkdir(filepath.Join(crashRoot, "index"), 0o777) == nil; made && opened {
			*ix = index.NewMem()
		}
		opened = true
		return keepOpen{*ix}, nil
	}}
}

// keepOpen lets an index outlive the store, as its files do.
type keepOpen struct{ *index.Mem }

func (keepOpen) Close() error { return nil }

func nameKey(name string) Key { return NewKey("crash").Strings(name).Sum() }

// put stores text, which decides the form: inline, a payload file, or several outputs.
func putText(s *Store, name, text string) error {
	d := s.NewDraft()
	if err := d.Add("out", 0o644, strings.NewReader(text)); err != nil {
		return err
	}
	if strings.HasPrefix(text, "multi") {
		if err := d.Add("more/second", 0o755, strings.NewReader(strings.Repeat(text, 300))); err != nil {
			return err
		}
		d.SetStreams([]byte("stdout "+text), nil, 3)
	}
	return s.Put(context.Background(), nameKey(name), d)
}

// getText reads everything that putText wrote; "" is a miss.
func getText(s *Store, name string) (string, error) {
	a, err := s.Get(context.Background(), nameKey(name))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer a.Release()
	return readText(a, name)
}

func readText(a *Artifact, name string) (string, error) {
	b, err := a.Bytes("out")
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil || !strings.HasPrefix(string(b), "multi") {
		return string(b), err
	}
	more, err := a.Bytes("more/second")
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	out, serr := a.Stdout()
	if err = errors.Join(err, serr); err != nil {
		return "", err
	}
	if string(more) != strings.Repeat(string(b), 300) || string(out) != "stdout "+string(b) || a.ExitCode() != 3 {
		return "", fmt.Errorf("%s: half an artifact under %q", name, b)
	}
	return string(b), nil
}

func (r *crashRun) put(s *Store, name, text string) error {
	r.pending[name] = append(r.pending[name], text)
	r.ever[name] = append(r.ever[name], text)
	err := putText(s, name, text)
	r.settle(name, text, err)
	return err
}

func (r *crashRun) del(s *Store, name string) error {
	r.pending[name] = append(r.pending[name], "")
	err := s.Delete(context.Background(), nameKey(name))
	r.settle(name, "", err)
	return err
}

// get reads an entry. One that a fault has spoiled is a miss from then on, or still to be had.
func (r *crashRun) get(s *Store, name string) error {
	got, err := getText(s, name)
	switch {
	case err != nil:
		return err
	case got == "" && r.acked[name] != "" && r.faulty:
		r.pending[name] = append(r.pending[name], "")
	case !r.allowed(name, got):
		return fmt.Errorf("%s is %.20q, acknowledged %.20q, pending %.40q", name, got, r.acked[name], r.pending[name])
	}
	return nil
}

// compact counts the segments that go.
func (r *crashRun) compact(s *Store) error {
	before := len(s.flog.Segments())
	err := s.compact(context.Background())
	r.removed += before - len(s.flog.Segments())
	return err
}

func (r *crashRun) settle(name, text string, err error) {
	if err == nil {
		r.acked[name] = text
		delete(r.pending, name)
	}
}

// scenario visits every verb that writes: puts of each form, replacement, shared payloads, deletes, flushes of the
// index, compaction, a clean close and a second session with recovery. It stops at the first error.
func (r *crashRun) scenario() error {
	ctx := context.Background()
	big, multi := strings.Repeat("big ", 700), "multi"
	s, err := open(ctx, crashRoot, r.opt, r.seams(r.fault, &r.index))
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	steps := []func() error{
		func() error { return r.put(s, "a", "inline a") },
		func() error { return r.put(s, "b", big) },
		func() error { return r.put(s, "c", big) },
		func() error { return r.put(s, "d", multi) },
		func() error { return r.giveUp(s) },
		func() error { s.commitMu.Lock(); defer s.commitMu.Unlock(); return s.flush(false) },
		func() error { r.keepOlder(); return nil },
		func() error { return r.del(s, "b") },
		func() error { return r.put(s, "a", big+"a") },
		func() error { return r.put(s, "d", "multi again") },
		func() error { return r.fill(s, 8) },
		func() error { return r.del(s, "c") },
		func() error { return r.fill(s, 8) },
		func() error { return s.Sync(ctx) },
		func() error { return r.compact(s) },
		func() error { return errors.Join(r.get(s, "a"), r.get(s, "d"), r.get(s, "f1"), r.get(s, "c")) },
		func() error { return r.put(s, "b", big) },
		func() error { return s.Close(ctx) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if s, err = open(ctx, crashRoot, r.opt, r.seams(r.fault, &r.index)); err != nil {
		return err
	}
	defer s.Close(ctx)
	return errors.Join(r.put(s, "e", "inline e"), r.del(s, "a"), s.Close(ctx))
}

var errBroken = errors.New("the reader is broken")

// giveUp adds an output whose reader fails after its temporary file was made.
func (r *crashRun) giveUp(s *Store) error {
	d := s.NewDraft()
	defer d.Discard()
	text := strings.NewReader(strings.Repeat("x", chunk+1))
	err := d.Add("out", 0o644, io.MultiReader(text, iotest.ErrReader(errBroken)))
	if errors.Is(err, errBroken) {
		return nil
	}
	return err
}

// fill replaces the same entries again and again, so that segments die.
func (r *crashRun) fill(s *Store, n int) error {
	for i := range n {
		if err := r.put(s, fmt.Sprint("f", i%4), fmt.Sprint(i, strings.Repeat("x", 900))); err != nil {
			return err
		}
	}
	return nil
}

// crashNames are the keys of all lives.
var crashNames = []string{"a", "b", "c", "d", "e", "f0", "f1", "f2", "f3", "g"}

// check opens what a crash left and compares. Without exact, an acknowledged entry may also be absent, or be any
// content that was ever put under its key.
func (r *crashRun) check(t *testing.T, label string, mem *vfs.Mem, ix *index.Mem, exact bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fail := func(format string, args ...any) bool {
		t.Helper()
		t.Errorf("%s: %s\n%v", label, fmt.Sprintf(format, args...), mem)
		return false
	}
	s, err := open(ctx, crashRoot, r.opt, r.seams(mem, &ix))
	if err != nil {
		return fail("open: %v", err)
	}
	defer s.Close(ctx)
	for _, name := range crashNames {
		got, err := getText(s, name)
		if err != nil {
			return fail("get %s: %v", name, err)
		}
		if exact && !r.allowed(name, got) {
			return fail("%s is %.20q, acknowledged %.20q, pending %.40q", name, got, r.acked[name], r.pending[name])
		}
		if !exact && got != "" && !slices.Contains(r.ever[name], got) {
			return fail("%s is %.20q, which was never put under it", name, got)
		}
	}
	if n := s.Stats().Corrupt; exact && r.silent && n > 0 {
		return fail("%d reports of damage", n)
	}
	if err := putText(s, "new", "written after the crash"); err != nil {
		return fail("put: %v", err)
	}
	if got, err := getText(s, "new"); err != nil || got != "written after the crash" {
		return fail("get after put: %q, %v", got, err)
	}
	if exact { // else the log may have lost something in the middle
		if err := audit(s, r.faulty); err != nil {
			return fail("%v", err)
		}
	}
	if err := s.Close(ctx); err != nil {
		return fail("close: %v", err)
	}
	return true
}

func (r *crashRun) allowed(name, got string) bool {
	if got == r.acked[name] {
		return true
	}
	return slices.Contains(r.pending[name], got)
}

// TestCrashPointsOfAll crashes at every call that changes something, those of the index among them.
func TestCrashPointsOfAll(t *testing.T) {
	for d, stride := range map[Durability]int{Always: 1, Group: otherStride, None: otherStride} {
		rng := testkit.Rand(t)
		for step := 1 + rng.IntN(stride); ; step += stride {
			r := newCrashRun(vfs.TearAt(step), d)
			r.whole = true
			err := r.scenario()
			if _, crashed := r.fault.Crashed(); !crashed {
				if err != nil {
					t.Error(err)
				}
				break
			}
			for name, tree := range r.mem.Crashes(rng, 2) {
				r.check(t, fmt.Sprintf("durability %d, step %d, %s", d, step, name), tree, nil, d == Always || name == "kill")
			}
			if t.Failed() {
				return
			}
		}
	}
}

// steps counts the calls of the whole scenario, and returns the index as it is at its end.
func crashSteps(t *testing.T, d Durability) (int, *index.Mem) {
	t.Helper()
	r := newCrashRun(nil, d)
	if err := r.scenario(); err != nil {
		t.Fatal(err)
	}
	if r.removed == 0 {
		t.Fatal("nothing was compacted")
	}
	if !r.check(t, "no crash", r.mem.Kill(), r.index.Clone(), true) {
		t.FailNow()
	}
	return r.fault.Steps(), r.index
}

// TestCrashPoints crashes at every call that changes something, and opens again each tree that may be left, with
// the index as it was, an older one, one that is ahead, and none.
func TestCrashPoints(t *testing.T) {
	for d, stride := range map[Durability]int{Always: 1, Group: otherStride, None: otherStride} {
		t.Run(fmt.Sprint("durability ", d), func(t *testing.T) { crashPoints(t, d, stride) })
	}
}

// crashPoints demands all that was acknowledged after the death of the process, and with Always after a power loss.
func crashPoints(t *testing.T, d Durability, stride int) {
	rng := testkit.Rand(t)
	n, ahead := crashSteps(t, d)
	for step := 1 + rng.IntN(stride); step <= n; step += stride {
		r := newCrashRun(vfs.TearAt(step), d)
		if err := r.scenario(); !errors.Is(err, vfs.ErrCrashed) {
			t.Fatalf("step %d: %v, not the crash", step, err)
		}
		for name, tree := range r.mem.Crashes(rng, 2) {
			label := fmt.Sprintf("step %d, %s", step, name)
			exact := d == Always || name == "kill"
			r.silent = exact
			ok := r.check(t, label+", index as it was", tree.Kill(), r.index.Clone(), exact) &&
				r.check(t, label+", older index", tree.Kill(), r.indexes(tree)["older index"], exact) &&
				r.check(t, label+", no index", tree.Kill(), index.NewMem(), exact) &&
				r.check(t, label+", index ahead", tree, ahead.Clone(), false)
			if !ok {
				return
			}
		}
	}
}

// TestEachFsyncIsNeeded lets one kind of fsync lie and demands that a crash shows it.
func TestEachFsyncIsNeeded(t *testing.T) {
	cases := map[string]func(string) bool{
		"payload file":              func(p string) bool { return len(p) > len(crashRoot+"/blobs/a/") && strings.Contains(p, "/blobs/") },
		"payload folder":            func(p string) bool { return len(p) == len(crashRoot+"/blobs/a") && strings.Contains(p, "/blobs/") },
		"folder of payload folders": func(p string) bool { return p == crashRoot+"/blobs" },
		"log segment":               func(p string) bool { return strings.HasSuffix(p, ".log") },
		"log folder":                func(p string) bool { return p == crashRoot+"/log" },
		"root":                      func(p string) bool { return p == crashRoot },
		"parent of root":            func(p string) bool { return p == "/d/deep" },
		"folder above":              func(p string) bool { return p == "/d" },
	}
	for name, match := range cases {
		t.Run(name, func(t *testing.T) {
			r := newCrashRun(vfs.Lie(func(p string) bool { return match(filepath.ToSlash(p)) }), Always)
			if err := r.scenario(); err != nil {
				t.Fatal(err)
			}
			tree := r.mem.Crash(vfs.Loss{})
			s, err := open(t.Context(), crashRoot, r.opt, r.seams(tree, new(index.NewMem())))
			if err != nil {
				return // noticed
			}
			defer s.Close(t.Context())
			for key, want := range r.acked {
				if got, err := getText(s, key); err != nil || got != want {
					return // noticed
				}
			}
			t.Error("nothing is missing although this fsync never took place")
		})
	}
}

// TestGroupAfterSync demands of Group that what Sync has returned for survives a power loss, and of everything
// else that it is absent or whole.
func TestGroupAfterSync(t *testing.T) {
	for _, d := range []Durability{Group, None} {
		rng := testkit.Rand(t)
		r := newCrashRun(nil, d)
		s, err := open(t.Context(), crashRoot, r.opt, r.seams(r.fault, &r.index))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close(t.Context())
		big := strings.Repeat("big ", 700)
		if err := errors.Join(r.put(s, "a", "inline a"), r.put(s, "b", big), r.put(s, "d", "multi"), s.Sync(t.Context())); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(putText(s, "c", big), putText(s, "e", "inline e"), putText(s, "f0", "multi late")); err != nil {
			t.Fatal(err)
		}
		r.pending = map[string][]string{"c": {big}, "e": {"inline e"}, "f0": {"multi late"}}
		for name, tree := range r.mem.Crashes(rng, 20) {
			r.check(t, fmt.Sprint(d, " ", name), tree, index.NewMem(), true)
		}
	}
}

// TestEachCallFails lets every single call fail once, with EIO or a full disk, reads too, and demands that the error
// surfaces or changes nothing, and that the store goes on.
func TestEachCallFails(t *testing.T) {
	whole := newCrashRun(nil, Always)
	if err := whole.scenario(); err != nil {
		t.Fatal(err)
	}
	n := whole.fault.Calls()
	for _, cause := range []error{errIO, errFull} {
		for call := 1; call <= n; call++ {
			var failed vfs.Op
			r := newCrashRun(func(op vfs.Op) (f vfs.Fault) {
				if op.Call == call {
					failed, f.Err = op, cause
				}
				return f
			}, Always)
			r.faulty = true
			err := r.scenario()
			r.fault.SetHook(nil)
			if err != nil && !errors.Is(err, cause) && !errors.Is(err, ErrNotFound) {
				t.Fatalf("%v: %v does not tell of %v", failed, err, cause)
			}
			if !r.check(t, fmt.Sprintf("%v, %v", failed, cause), r.mem.Kill(), index.NewMem(), true) {
				return
			}
		}
	}
}
