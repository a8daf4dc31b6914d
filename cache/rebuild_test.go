package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// halfRebuilt loses the index and reads the first n frames of the log back, as if Run were about to go on.
func halfRebuilt(t *testing.T, s *Store, n int) {
	t.Helper()
	s.upkeep.Store(true) // verbs leave the rest to it
	s.distrust(errors.New("lost by the test"))
	s.commitMu.Lock()
	err := s.replaceDamaged()
	s.commitMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for fr, err := range s.flog.Scan(framelog.Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n--; n < 0 {
			return
		}
		if again, err := s.rebuildFrame(s.rebuild, fr); again || err != nil {
			t.Fatal(again, err)
		}
	}
}

// TestNoFlushIntoAnEmptyIndex finds the index damaged and cannot put it aside: the empty one that a verb opens in its place
// must not be said to have everything.
func TestNoFlushIntoAnEmptyIndex(t *testing.T) {
	s, faults, mem := openFaults(t, nil)
	if err := putText(s, "k", "text"); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpLstat && filepath.Base(o.Path) == "index" }, vfs.Fault{Err: errIO}))
	s.distrust(errors.New("lost by the test"))
	if err := putText(s, "other", "text"); err != nil {
		t.Errorf("put: %v", err)
	}
	if _, err := s.current(new(nameKey("k")), new(record)); err != nil {
		t.Errorf("the empty index: %v", err)
	}
	s.commitMu.Lock()
	err := s.flush(false)
	s.commitMu.Unlock()
	if err != nil {
		t.Errorf("flush: %v", err)
	}
	err = s.withIndex(func(ix index.Index) error {
		_, known, err := readCheckpoint(ix)
		if known {
			t.Error("the index has a checkpoint")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	faults.SetHook(nil)
	for _, name := range []string{"k", "other"} {
		if got := textAfter(t, mem.Kill(), name); got != "text" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestDamageOfWhatWasReplaced finds a payload file of a replaced version gone, and then the index damaged: nobody can tell what
// the key holds now, so that stays.
func TestDamageOfWhatWasReplaced(t *testing.T) {
	mem := vfs.NewMem("/d")
	s := openTree(t, mem, nil, 0)
	after := strings.Repeat("after ", 900)
	if err := putText(s, "k", strings.Repeat("before ", 900)); err != nil {
		t.Fatal(err)
	}
	a := hold(t, s, "k")
	if err := putText(s, "k", after); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	if err := mem.Remove(s.blobPath(&a.rec.digest)); err != nil {
		t.Fatal(err)
	}
	entries, err := mem.ReadDir(crashRoot + "/index")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		rewrite(t, mem, "index/"+e.Name(), func(b []byte) []byte { b[0]++; return b })
	}
	if _, err := a.Bytes("out"); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if got, err := getText(s, "k"); err != nil || got != after {
		t.Errorf("%.20q, %v", got, err)
	}
}

// TestChangesOfWhatTheIndexLost finds the index damaged and cannot put it aside: what holds the version that a put replaces
// keeps it, and a delete of what only the log still knows is carried out.
func TestChangesOfWhatTheIndexLost(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := errors.Join(putText(s, "held", "inline old"), putText(s, "file", strings.Repeat("old ", 999)), putText(s, "gone", "text")); err != nil {
		t.Fatal(err)
	}
	held := map[string]*Artifact{"inline old": nil, strings.Repeat("old ", 999): nil}
	for text, name := range map[string]string{"inline old": "held", strings.Repeat("old ", 999): "file"} {
		a, err := s.Get(t.Context(), nameKey(name))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Release()
		held[text] = a
	}
	s.commitMu.Lock()
	err := s.flush(false)
	s.commitMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	s.upkeep.Store(true) // verbs leave the rebuild to it
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpLstat && filepath.Base(o.Path) == "index" }, vfs.Fault{Err: errIO}))
	s.distrust(errors.New("lost by the test"))
	if err := errors.Join(putText(s, "other", "closes the damaged index"), putText(s, "held", "new"), putText(s, "file", "new"), s.Delete(t.Context(), nameKey("gone"))); err != nil {
		t.Errorf("while the index cannot be replaced: %v", err)
	}
	faults.SetHook(nil)
	s.upkeep.Store(false)
	for i := range 20 {
		err = errors.Join(err, putText(s, fmt.Sprint("f", i%2), fmt.Sprint(i, strings.Repeat("x", 900))))
	}
	before := s.flog.Segments()[0].ID
	if err := errors.Join(err, s.finishRebuild(t.Context()), s.compact(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s.flog.Segments()[0].ID == before {
		t.Fatal("nothing was compacted")
	}
	for text, a := range held {
		if b, err := a.Bytes("out"); err != nil || string(b) != text {
			t.Errorf("held %.20q: %.20q, %v", text, b, err)
		}
	}
	for name, want := range map[string]string{"held": "new", "file": "new", "gone": ""} {
		if got, err := getText(s, name); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// TestNoHitsFromADamagedIndex has damage bring an older version of an entry back to light.
func TestNoHitsFromADamagedIndex(t *testing.T) {
	for name, upkeep := range map[string]bool{"with Run": true, "without Run": false} {
		t.Run(name, func(t *testing.T) {
			s, _ := openMem(t, nil)
			if err := putText(s, "k", "old"); err != nil {
				t.Fatal(err)
			}
			flushNow(t, s)
			older := s.idx.(*index.Mem).Clone()
			if err := putText(s, "k", "new"); err != nil {
				t.Fatal(err)
			}
			flushNow(t, s)
			s.idx = older
			s.upkeep.Store(upkeep)
			s.distrust(index.ErrDamaged)
			want := "new"
			if upkeep {
				want = ""
			}
			if got, err := getText(s, "k"); got != want || err != nil {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
}

// leaving is a context that ends as soon as somebody waits for its end.
type leaving struct {
	context.Context
	cancel context.CancelFunc
}

func (l leaving) Done() <-chan struct{} {
	l.cancel()
	return l.Context.Done()
}

// TestLeaveBesideARebuild ends the contexts of verbs that wait while another reads the log back: they do not wait for that.
func TestLeaveBesideARebuild(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := putText(s, "k", "text"); err != nil {
		t.Fatal(err)
	}
	key := nameKey("k")
	verbs := map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := s.Get(ctx, key); return err },
		"delete": func(ctx context.Context) error { return s.Delete(ctx, key) },
		"do":     func(ctx context.Context) error { _, err := s.Do(ctx, key, makes("made")); return err },
		"list": func(ctx context.Context) (err error) {
			for _, err = range s.All(ctx) {
			}
			return err
		},
	}
	for name, verb := range verbs {
		s.distrust(errors.New("lost by the test"))
		reading, goOn := make(chan struct{}), make(chan struct{})
		reads := 0
		faults.SetHook(func(o vfs.Op) vfs.Fault {
			if o.Kind != vfs.OpRead || !strings.HasSuffix(o.Path, ".log") {
				return vfs.Fault{}
			}
			if reads++; reads == 1 {
				close(reading)
				<-goOn
			}
			return vfs.Fault{}
		})
		rebuilt := make(chan error, 1)
		go func() { rebuilt <- s.finishRebuild(t.Context()) }()
		<-reading
		late := time.AfterFunc(2*time.Second, func() { close(goOn) }) // for who would wait for ever
		ctx, cancel := context.WithCancel(t.Context())
		if err := verb(leaving{ctx, cancel}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if late.Stop() {
			close(goOn)
		}
		if err := <-rebuilt; err != nil {
			t.Errorf("the rebuild beside %s: %v", name, err)
		}
		faults.SetHook(nil)
	}
	if got, err := getText(s, "k"); got != "text" || err != nil {
		t.Errorf("in the end: %q, %v", got, err)
	}
}

// TestRunRebuildsAtOnce finds damage while Run sleeps.
func TestRunRebuildsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := openMem(t, nil)
		if err := putText(s, "k", "text"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		s.distrust(index.ErrDamaged)
		synctest.Wait() // no time passes
		if got, err := getText(s, "k"); got != "text" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		cancel()
		<-done
	})
}

// TestSharedPayloadDuringRebuild drops one of two keys that share a file before the rebuild has come to the other.
func TestSharedPayloadDuringRebuild(t *testing.T) {
	big := strings.Repeat("shared ", 900)
	drops := map[string]func(*Store) error{
		"delete":  func(s *Store) error { return s.Delete(context.Background(), nameKey("a")) },
		"replace": func(s *Store) error { return putText(s, "a", "other") },
		"failed put": func(s *Store) error {
			d := s.NewDraft()
			defer d.Discard()
			return d.Add("out", 0o644, strings.NewReader(big))
		},
	}
	for name, drop := range drops {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMem("/d")
			s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: fsys,
				openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			if err := errors.Join(putText(s, "a", big), putText(s, "b", big)); err != nil {
				t.Fatal(err)
			}
			frames := 1
			if name == "failed put" {
				frames = 0
			}
			halfRebuilt(t, s, frames)
			if err := drop(s); err != nil {
				t.Fatal(err)
			}
			s.upkeep.Store(false)
			if err := s.finishRebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := getText(s, "b"); err != nil || got != big {
				t.Errorf("the other key: %.20q, %v", got, err)
			}
		})
	}
}

// TestVerbsDuringRebuild serves what is put meanwhile, misses what may have been replaced by what is not read yet, and lets
// what is said meanwhile stand.
func TestVerbsDuringRebuild(t *testing.T) {
	s, _ := openMem(t, nil)
	for i := range 10 {
		if err := putText(s, fmt.Sprint("k", i), fmt.Sprint("old ", i)); err != nil {
			t.Fatal(err)
		}
	}
	a, err := s.Get(t.Context(), nameKey("k9"))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Release()
	halfRebuilt(t, s, 5)
	if err := putText(s, "k3", "new 3"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"k0": "", "k3": "new 3", "k4": "", "k5": "", "k9": ""} {
		if got, err := getText(s, name); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if b, err := a.Bytes("out"); err != nil || string(b) != "old 9" {
		t.Errorf("held artifact: %q, %v", b, err)
	}
	if st := s.Stats(); !st.Rebuilding {
		t.Errorf("stats: %+v", st)
	}
	err = errors.Join(putText(s, "k6", "new 6"), s.Delete(t.Context(), nameKey("k7")), s.Delete(t.Context(), nameKey("k1")))
	if err != nil || !s.incomplete() {
		t.Errorf("%v, still being rebuilt: %v", err, s.incomplete())
	}
	s.upkeep.Store(false)
	want := map[string]string{"k0": "old 0", "k1": "", "k3": "new 3", "k5": "old 5", "k6": "new 6", "k7": "", "k8": "old 8", "k9": "old 9"}
	for name, want := range want {
		if got, err := getText(s, name); err != nil || got != want {
			t.Errorf("%s after the rebuild: %q, %v, want %q", name, got, err, want)
		}
	}
	if st := s.Stats(); st.Rebuilding || st.Entries != 8 {
		t.Errorf("stats after the rebuild: %+v", st)
	}
}

// TestRunRebuilds has Run find an index that is damaged and rebuild it, while nobody asks for anything.
func TestRunRebuilds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, nil, 0)
		defer u.stop(t)
		if err := putText(u.Store, "k", "v"); err != nil {
			t.Fatal(err)
		}
		u.distrust(errors.New("told so by the test"))
		time.Sleep(2 * time.Second)
		if st := u.Stats(); st.Rebuilding || st.Entries != 1 || u.opens.Load() != 2 {
			t.Errorf("after two seconds: %+v, index opened %d times", st, u.opens.Load())
		}
	})
}

// TestQuarantine has the index damaged again and again: the last damaged one is kept, and none before it.
func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		s := uncleanStore(t, dir, nil)
		if text, err := getText(s, "k"); err != nil || i > 0 && text != "v" {
			t.Errorf("with %d damaged: %q, %v", i, text, err)
		}
		if err := errors.Join(putText(s, "k", "v"), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		aside, err := filepath.Glob(filepath.Join(dir, "quarantine", "*"))
		if err != nil || len(aside) != min(i, 1) {
			t.Errorf("with %d damaged: %q are kept, %v", i, aside, err)
		}
		for j := range i {
			name := filepath.Join(dir, "quarantine", "index", fmt.Sprint("mark", j))
			if there(name) != (j == i-1) {
				t.Errorf("with %d damaged: number %d is kept: %v", i, j, there(name))
			}
		}
		ruin(t, filepath.Join(dir, "index"))
		if err := os.WriteFile(filepath.Join(dir, "index", fmt.Sprint("mark", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSegmentListIsVerified changes what the index says is live in a segment: compaction would believe it.
func TestSegmentListIsVerified(t *testing.T) {
	mem, ix := vfs.NewMem("/d"), index.NewMem()
	s := openOver(t, mem, ix)
	if err := errors.Join(putText(s, "k", "v"), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	key := segmentKey(1)
	v, ok, err := ix.Get(key, nil)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	v[0] ^= 1
	if err := ix.Apply(nil, index.Op{Key: key, Value: v}); err != nil {
		t.Fatal(err)
	}
	if s = openOver(t, mem, ix); !s.incomplete() {
		t.Error("the index is not rebuilt")
	}
}

// TestSegmentListForgets has segments go that the index knows of.
func TestSegmentListForgets(t *testing.T) {
	s, _, _ := openFaults(t, nil)
	for i := range 200 {
		if err := putText(s, fmt.Sprint(i%10), fmt.Sprint(i, strings.Repeat("x", 900))); err != nil {
			t.Fatal(err)
		}
	}
	flushNow(t, s)
	before := len(s.live)
	if err := s.compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	listed := 0
	for _, err := range s.idx.Scan([]byte{prefixSegment}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if listed != len(s.live) || listed >= before {
		t.Errorf("segments that are live: %d, before compaction %d; in the index: %d", len(s.live), before, listed)
	}
}

// TestCloseMeetsDamage has the merge of the last table of a life meet a damaged one, which nobody has read: nothing is lost.
func TestCloseMeetsDamage(t *testing.T) {
	root := t.TempDir()
	for i := range 5 {
		s, err := open(t.Context(), root, mustDefaults(t, nil), osSeams(0))
		if err != nil {
			t.Fatal(err)
		}
		if err := putText(s, fmt.Sprint("k", i), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			first := filepath.Join(root, "index", "0000000000000000-0000000000000000.table")
			if err := (harm{Kind: "zero", File: ".", Len: 512}).apply(first, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := open(t.Context(), root, mustDefaults(t, nil), osSeams(0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	for i := range 5 {
		if got, err := getText(s, fmt.Sprint("k", i)); err != nil || got != fmt.Sprint(i) {
			t.Errorf("k%d: %q, %v", i, got, err)
		}
	}
}

// TestReplacesWhatCompactionRemovesUnderARebuild replaces an entry that a rebuild has read back from a segment which a
// compaction, at its end when the rebuild began, then removes: nobody can tell its payload files, so the rebuild begins again.
func TestReplacesWhatCompactionRemovesUnderARebuild(t *testing.T) {
	s, _, _ := openFaults(t, nil)
	if err := putText(s, "k", "multi"); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		if err := putText(s, fmt.Sprint("f", i%3), fmt.Sprint(i, strings.Repeat("x", 900))); err != nil {
			t.Fatal(err)
		}
	}
	id := s.flog.Segments()[0].ID
	for fr, err := range s.flog.ScanSegment(id) {
		if err = errors.Join(err, s.moveFrame(fr, true)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.logRemoved(id); err != nil {
		t.Fatal(err)
	}
	s.distrust(index.ErrDamaged)
	s.commitMu.Lock()
	err := s.replaceDamaged()
	r := s.rebuild
	s.commitMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for fr, err := range s.flog.ScanSegment(id) {
		if err == nil {
			_, err = s.rebuildFrame(r, fr)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.flog.Remove(id), putText(s, "k", "inline"), s.finishRebuild(t.Context()), audit(s, false)); err != nil {
		t.Error(err)
	}
	if got, err := getText(s, "k"); got != "inline" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestCutInLife cuts the files of the log and the index below a running store, which may have them mapped.
func TestCutInLife(t *testing.T) {
	for name, folder := range map[string]string{"log": "log", "index": "index"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(t.Context(), dir, &Options{Reserve: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			text := func(i int) string { return strings.Repeat(fmt.Sprint(i, " "), 50) }
			const n = 500
			for i := range n {
				if err := putText(s, fmt.Sprint(i), text(i)); err != nil {
					t.Fatal(err)
				}
			}
			flushNow(t, s)
			for i := range n { // all is mapped
				if got, err := getText(s, fmt.Sprint(i)); got != text(i) || err != nil {
					t.Fatalf("%.20q, %v", got, err)
				}
			}
			files, err := filepath.Glob(filepath.Join(dir, folder, "*"))
			if len(files) == 0 || err != nil {
				t.Fatal(files, err)
			}
			for _, path := range files {
				if err := os.Truncate(path, 0); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				if got, err := getText(s, fmt.Sprint(i)); got != "" && got != text(i) || err != nil {
					t.Fatalf("afterwards: %.20q, %v", got, err)
				}
			}
			if err := putText(s, "new", "new"); err != nil {
				t.Fatal(err)
			}
			if got, err := getText(s, "new"); got != "new" || err != nil {
				t.Errorf("%.20q, %v", got, err)
			}
		})
	}
}

// TestHeldDeleteOutlivesRebuild rebuilds the index while a delete waits that a full disk kept out of the log.
func TestHeldDeleteOutlivesRebuild(t *testing.T) {
	s, faults, _ := openFaults(t, nil)
	if err := errors.Join(putText(s, "k", "text"), putText(s, "other", "text")); err != nil {
		t.Fatal(err)
	}
	faults.SetHook(noSpace("log"))
	if err := s.Delete(t.Context(), nameKey("k")); err != nil {
		t.Fatal("delete:", err)
	}
	faults.SetHook(nil)
	s.distrust(errors.New("lost by the test"))
	if got, err := getText(s, "k"); got != "" || err != nil {
		t.Errorf("deleted, and got %q, %v", got, err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := getText(s, "k"); got != "" || err != nil {
		t.Errorf("deleted, logged, and got %q, %v", got, err)
	}
}

// TestUnreadableIndex gets from a store whose index can be written and never read: that ends.
func TestUnreadableIndex(t *testing.T) {
	faults := vfs.NewFaults(vfs.NewMem("/d"), nil)
	s := openTree(t, faults, nil, 0)
	if err := putText(s, "k", "text"); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	faults.SetHook(vfs.When(func(op vfs.Op) bool {
		return op.Kind == vfs.OpRead && filepath.Base(filepath.Dir(op.Path)) == "index"
	}, vfs.Fault{Err: errIO}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if a, err := s.Get(ctx, nameKey("k")); a != nil {
		a.Release()
		t.Error("the index was read")
	} else if ctx.Err() != nil {
		t.Errorf("get: %v", err)
	}
	for range s.All(ctx) {
	}
	if ctx.Err() != nil {
		t.Error("a list does not end")
	}
}

// TestDamageBelowReserve gets and deletes while a damaged index cannot be replaced for lack of room.
func TestDamageBelowReserve(t *testing.T) {
	s, _ := openMem(t, &Options{Reserve: 1})
	if err := errors.Join(putText(s, "k", "text"), putText(s, "d", "text")); err != nil {
		t.Fatal(err)
	}
	s.space.reserve = 1 << 60
	s.space.full()
	s.distrust(errors.New("lost by the test"))
	if _, err := getText(s, "k"); err != nil {
		t.Errorf("get: %v", err)
	}
	if err := s.Delete(t.Context(), nameKey("d")); err != nil {
		t.Errorf("delete: %v", err)
	}
	s.space.reserve = 1
	s.space.full()
	if got, err := getText(s, "d"); got != "" || err != nil {
		t.Errorf("deleted: %q, %v", got, err)
	}
	if got, err := getText(s, "k"); got != "text" || err != nil {
		t.Errorf("k: %q, %v", got, err)
	}
}

// TestListOverARebuild lists while the index is lost and read back: what was not seen for that is told of, also when all has
// been read back by the end.
func TestListOverARebuild(t *testing.T) {
	s := openTree(t, vfs.NewMem("/d"), nil, 10)
	defer s.upkeep.Store(false)
	const n = pageSize + 100
	for i := range n {
		if err := putText(s, fmt.Sprint("k", i), "text"); err != nil {
			t.Fatal(err)
		}
	}
	flushNow(t, s)
	seen := 0
	for _, err := range s.All(t.Context()) {
		if err != nil {
			return
		}
		switch seen++; seen {
		case pageSize:
			halfRebuilt(t, s, n/2)
		case pageSize + 1:
			if err := s.finishRebuild(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if seen < n {
		t.Errorf("%d of %d listed, and no error", seen, n)
	}
}
