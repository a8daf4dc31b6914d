package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestCompactBesideDamage has one damaged segment among others that are worth compacting.
func TestCompactBesideDamage(t *testing.T) {
	ctx := t.Context()
	root := t.TempDir()
	s, err := open(ctx, root, mustDefaults(t, nil), osSeams(4<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	for version := range 2 { // the first is dead afterwards, but for every fifth entry
		for i := range 100 {
			if version == 1 && i%5 == 0 {
				continue
			}
			if err := putText(s, fmt.Sprint("k", i), fmt.Sprint("version ", version, " of ", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := s.flog.Segments()
	name := filepath.Join(root, "log", fmt.Sprintf("%016x.log", before[0].ID))
	if err := (harm{Kind: "zero", File: ".", Off: before[0].Size / 2, Len: 200}).apply(name, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.compact(ctx); !errors.Is(err, framelog.ErrDamaged) {
		t.Errorf("compaction over a damaged segment: %v", err)
	}
	after := s.flog.Segments()
	if after[0].ID != before[0].ID || after[1].ID <= before[3].ID {
		t.Errorf("segments before %+v and after %+v", before, after)
	}
	if _, err := os.Lstat(name); err != nil {
		t.Error(err)
	}
	if err := s.compact(ctx); err != nil {
		t.Errorf("the damaged segment is tried again: %v", err)
	}
	lost := 0
	for i := range 100 {
		got, err := getText(s, fmt.Sprint("k", i))
		if want := fmt.Sprint("version ", min(1, i%5), " of ", i); got == "" && i%5 == 0 {
			lost++
		} else if err != nil || got != want {
			t.Errorf("%d: %q, %v", i, got, err)
		}
	}
	if lost > 2 {
		t.Errorf("%d entries are lost", lost)
	}
}

// TestCompactBesideWhatStays has a segment whose file cannot be removed: it is left alone for a while, and the others are not.
func TestCompactBesideWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, faults, _ := openFaults(t, nil)
		for range 4 {
			for i := range 20 {
				if err := putText(s, fmt.Sprint("k", i), "text"); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.flog.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		first := s.flog.Segments()[0].ID
		faults.SetHook(vfs.When(func(o vfs.Op) bool {
			return o.Kind == vfs.OpRemove && strings.HasSuffix(o.Path, fmt.Sprintf("%016x.log", first))
		}, vfs.Fault{Err: syscall.EACCES}))
		if err := s.compact(t.Context()); !errors.Is(err, syscall.EACCES) {
			t.Errorf("compact: %v", err)
		}
		segs, end := s.flog.Segments(), s.flog.End()
		if segs[0].ID != first || segs[1].ID < first+3 {
			t.Errorf("segments after the first pass: %+v", segs)
		}
		if err := s.compact(t.Context()); err != nil || s.flog.End() != end {
			t.Errorf("at once again: %v, the log ends at %v and did at %v", err, s.flog.End(), end)
		}
		faults.SetHook(nil)
		time.Sleep(compactAgain)
		if err := s.compact(t.Context()); err != nil || s.flog.Segments()[0].ID == first {
			t.Errorf("when it can be removed: %v, %+v", err, s.flog.Segments())
		}
	})
}

// TestCompactDeadDamage removes a segment in which only dead frames are damaged.
func TestCompactDeadDamage(t *testing.T) {
	ctx := t.Context()
	root := t.TempDir()
	s, err := open(ctx, root, mustDefaults(t, nil), osSeams(4<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	for version := range 2 {
		for i := range 40 {
			if version == 1 && i == 0 {
				continue // the first frame of the log stays live
			}
			if err := putText(s, fmt.Sprint("k", i), fmt.Sprint("version ", version, " of ", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := s.flog.Segments()[0]
	name := filepath.Join(root, "log", fmt.Sprintf("%016x.log", first.ID))
	if err := (harm{Kind: "zero", File: ".", Off: first.Size / 2, Len: 200}).apply(name, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.compact(ctx); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(name); !isNotExist(err) {
		t.Errorf("the segment stays: %v", err)
	}
	if got, err := getText(s, "k0"); got != "version 0 of 0" || err != nil {
		t.Errorf("the live entry: %q, %v", got, err)
	}
}

// TestCompactCutSegment keeps a segment whose end was cut off between two frames: what stood there may be needed.
func TestCompactCutSegment(t *testing.T) {
	ctx := t.Context()
	root := t.TempDir()
	var s *Store
	reopen := func() {
		t.Helper()
		var err error
		if s, err = open(ctx, root, mustDefaults(t, nil), osSeams(4<<10)); err != nil {
			t.Fatal(err)
		}
	}
	closeIt := func() {
		t.Helper()
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	reopen()
	var cut int64
	for i := range 40 {
		if i == 5 {
			cut = int64(s.flog.End().Offset)
		}
		text := fmt.Sprint("text ", i)
		if i == 5 {
			text = strings.Repeat(text, 500) // a payload file, which needs no frame
		}
		if err := putText(s, fmt.Sprint("k", i), text); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(root, "log", fmt.Sprintf("%016x.log", s.flog.Segments()[0].ID))
	closeIt()
	if err := os.Truncate(name, cut); err != nil {
		t.Fatal(err)
	}
	reopen()
	defer closeIt()
	for i := range 40 {
		if i != 5 {
			if err := s.Delete(ctx, nameKey(fmt.Sprint("k", i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.compact(ctx); !errors.Is(err, framelog.ErrDamaged) {
		t.Errorf("compact: %v", err)
	}
	if _, err := os.Lstat(name); err != nil {
		t.Error(err)
	}
	if got, err := getText(s, "k5"); got == "" || err != nil {
		t.Errorf("the entry behind the cut: %.20q, %v", got, err)
	}
}

// TestNothingMovesDuringRebuild compacts while the index knows no key: nothing may be taken for dead, and no delete may be
// written again behind a later put.
func TestNothingMovesDuringRebuild(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := errors.Join(putText(s, "k", "old"), s.Delete(t.Context(), nameKey("k")), s.flog.Rotate(), putText(s, "k", "new")); err != nil {
		t.Fatal(err)
	}
	halfRebuilt(t, s, 0)
	defer s.upkeep.Store(false)
	first, end, moved := s.flog.Segments()[0].ID, s.flog.End(), 0
	for fr, err := range s.flog.ScanSegment(first) {
		if err == nil {
			moved++
			err = s.moveFrame(fr, false)
		}
		if err != errRebuilding {
			t.Errorf("frame at %v: %v", fr.Pos, err)
		}
	}
	if err := s.logRemoved(first); err != errRebuilding || moved != 2 || s.flog.End() != end {
		t.Errorf("after %d frames: %v, the log ends at %v, before at %v", moved, err, s.flog.End(), end)
	}
}

// TestDeletesOutliveCompaction compacts segments with deletes, and then loses the index or its latest writes.
func TestDeletesOutliveCompaction(t *testing.T) {
	cases := map[string]struct {
		oldest bool // the segment of the put has gone before
		known  bool // the index on disk has the delete for certain
	}{
		"a put is older":         {known: true},
		"the index may be older": {oldest: true},
		"nothing is older":       {oldest: true, known: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			mem, ix := vfs.NewMem("/d"), index.NewMem()
			s := openOver(t, mem, ix)
			text := strings.Repeat("shared ", 900)
			err := putText(s, "k", text)
			flushNow(t, s)
			older := ix.Clone()
			if c.known {
				older = index.NewMem()
			}
			err = errors.Join(err, s.flog.Rotate(), s.Delete(t.Context(), nameKey("k")), s.flog.Rotate(), putText(s, "other", text))
			flushNow(t, s)
			if err != nil || c.known && !s.park() {
				t.Fatal(err, "not parked")
			}
			for i, seg := range s.flog.Segments()[:2] {
				if i == 1 || c.oldest {
					err = errors.Join(err, s.compactSegment(t.Context(), seg.ID))
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			s = openOver(t, mem.Kill(), older)
			for name, want := range map[string]string{"k": "", "other": text} {
				if got, err := getText(s, name); got != want || err != nil {
					t.Errorf("%s: %.20q, %v", name, got, err)
				}
			}
		})
	}
}

// TestCompactMovesDeletesOnce has more deletes than a segment takes, which an old segment that stays needs: compaction comes to an
// end, and they go once nothing needs them.
func TestCompactMovesDeletesOnce(t *testing.T) {
	cases := map[string]func(*Store) error{
		"a put is older":         func(s *Store) error { return nil },
		"the index may be older": func(s *Store) error { return s.Delete(context.Background(), nameKey("old")) },
	}
	for name, then := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: vfs.NewMem("/d"), segmentBytes: 4 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(context.Background())
			compact := func() (moved bool) {
				t.Helper()
				end := s.flog.End()
				if err := s.compact(t.Context()); err != nil {
					t.Fatal(err)
				}
				return s.flog.End() != end
			}
			err = errors.Join(putText(s, "old", strings.Repeat("old ", 200)), s.flog.Rotate())
			for i := range 300 {
				key := fmt.Sprint("k", i)
				err = errors.Join(err, putText(s, key, "text"), s.Delete(t.Context(), nameKey(key)))
			}
			if err = errors.Join(err, then(s)); err != nil {
				t.Fatal(err)
			}
			passes := 0
			for compact() {
				if passes++; passes == 10 {
					t.Fatalf("the %dth pass still moves deletes", passes)
				}
			}
			if n := len(s.flog.Segments()); n < 5 {
				t.Fatalf("%d segments: the deletes have gone", n)
			}
			if err := s.Delete(t.Context(), nameKey("old")); err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			if err := parked(s); err != nil {
				t.Fatal(err)
			}
			for passes = 0; compact(); passes++ {
			}
			if n := len(s.flog.Segments()); n > 3 {
				t.Errorf("%d segments after %d passes more: the deletes stay", n, passes)
			}
		})
	}
}

func openOver(t *testing.T, mem *vfs.Mem, ix *index.Mem) *Store {
	t.Helper()
	s, err := open(t.Context(), crashRoot, mustDefaults(t, nil), seams{fs: mem, openIndex: func() (index.Index, error) { return keepOpen{ix}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// TestIndexOlderThanMoves recovers with an index from before compaction moved entries of several outputs: no payload stays
// counted that nothing refers to any more.
func TestIndexOlderThanMoves(t *testing.T) {
	r := newCrashRun(nil, None)
	reopen := func(tree vfs.FS, ix *index.Mem) *Store {
		s, err := open(t.Context(), crashRoot, r.opt, r.seams(tree, &ix))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
	s := reopen(r.mem, r.index)
	if err := errors.Join(putText(s, "kept", "multi 1"), putText(s, "deleted", "multi 2"), putText(s, "replaced", "multi 3")); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	older := r.index.Clone()
	want := func(what string, n int64, rebuilt bool) {
		t.Helper()
		s := reopen(r.mem.Kill(), older.Clone())
		if s.incomplete() != rebuilt {
			t.Errorf("%s: the index is rebuilt: %v", what, !rebuilt)
		}
		if err := errors.Join(s.finishRebuild(t.Context()), audit(s, false)); err != nil || s.Stats().Payloads != n {
			t.Errorf("%s: %d payloads are counted, not %d; %v", what, s.Stats().Payloads, n, err)
		}
	}
	die(t, s)
	want("moved", 3, false)
	if err := errors.Join(s.Delete(t.Context(), nameKey("deleted")), putText(s, "replaced", "small")); err != nil {
		t.Fatal(err)
	}
	want("moved, then dropped", 1, false)
	die(t, s)
	want("moved, then dropped, and the moved frames are gone", 1, true)
}

// TestPutAsideForGood loses power after an index was put aside and compaction has dropped a delete that the new one has: the
// old one must not come back.
func TestPutAsideForGood(t *testing.T) {
	r := newCrashRun(nil, Always)
	s, err := open(t.Context(), crashRoot, r.opt, r.seams(r.mem, &r.index))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	big := strings.Repeat("big ", 700)
	park := func() {
		t.Helper()
		if !s.park() {
			t.Fatal("not parked")
		}
		r.keepOlder()
	}
	if err := errors.Join(r.put(s, "a", big), r.put(s, "b", big), r.mem.SyncDir(crashRoot)); err != nil {
		t.Fatal(err)
	}
	park()
	s.distrust(index.ErrDamaged)
	if err := errors.Join(r.del(s, "a"), s.finishRebuild(t.Context()), r.get(s, "a")); err != nil {
		t.Fatal(err)
	}
	park()
	if err := errors.Join(r.fill(s, 12), r.compact(s)); err != nil {
		t.Fatal(err)
	}
	if segs := s.flog.Segments(); segs[0].ID == 1 {
		t.Fatalf("not compacted: %v", segs)
	}
	left := r.mem.Crash(vfs.Loss{})
	for which, ix := range r.indexes(left) {
		r.check(t, which, left.Kill(), ix, true)
	}
}
