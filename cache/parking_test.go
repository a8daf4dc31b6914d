package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// slowIndex outlives the store, as files do, and takes its time, so that Run sees verbs in their midst.
type slowIndex struct{ keepOpen }

func (i slowIndex) Get(key, dst []byte) ([]byte, bool, error) {
	time.Sleep(time.Millisecond)
	return i.keepOpen.Get(key, dst)
}

// upkeptStore runs a store in memory within a synctest bubble, and counts calls.
type upkeptStore struct {
	*Store
	syncs, opens atomic.Int64
	payloads     atomic.Int64 // opened
	cancel       context.CancelFunc
	ran          chan error
}

func newUpkept(t *testing.T, o *Options, segmentBytes int64) *upkeptStore {
	t.Helper()
	u := &upkeptStore{ran: make(chan error, 1)}
	fsys := vfs.NewFaults(vfs.NewMem("/d"), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync {
			u.syncs.Add(1)
		}
		if op.Kind == vfs.OpOpen && strings.Contains(filepath.ToSlash(op.Path), "/blobs/") {
			u.payloads.Add(1)
		}
		return vfs.Fault{}
	})
	ix := slowIndex{keepOpen{index.NewMem()}}
	s, err := open(t.Context(), crashRoot, mustDefaults(t, o), seams{fs: fsys, segmentBytes: segmentBytes,
		openIndex: func() (index.Index, error) { u.opens.Add(1); return ix, nil }})
	if err != nil {
		t.Fatal(err)
	}
	u.Store = s
	u.run()
	return u
}

// run starts Run; cancel ends it, and ran has its error then.
func (u *upkeptStore) run() {
	ctx, cancel := context.WithCancel(context.Background())
	u.cancel = cancel
	go func() { u.ran <- u.Run(ctx) }()
}

// stop ends Run, then the store.
func (u *upkeptStore) stop(t *testing.T) {
	t.Helper()
	u.cancel()
	if err := <-u.ran; !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if err := u.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestParking parks a quiet store, and demands that each verb wakes it and is upkept as before.
func TestParking(t *testing.T) {
	verbs := map[string]func(*Store) error{
		"get":    func(s *Store) error { _, err := getText(s, "k"); return err },
		"put":    func(s *Store) error { return putText(s, "k", "again") },
		"delete": func(s *Store) error { return s.Delete(context.Background(), nameKey("k")) },
		"list": func(s *Store) error {
			for _, err := range s.All(context.Background()) {
				return err
			}
			return errors.New("lists nothing")
		},
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUpkept(t, nil, 0)
				defer u.stop(t)
				if err := putText(u.Store, "k", "v"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(29 * time.Second)
				if u.Stats().Parked {
					t.Fatal("parked before ParkAfter")
				}
				time.Sleep(4 * time.Second)
				if !u.Stats().Parked {
					t.Fatal("not parked after ParkAfter")
				}
				syncs := u.syncs.Load()
				if err := verb(u.Store); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
				if writes := name == "put" || name == "delete"; writes != (u.syncs.Load() > syncs) {
					t.Errorf("%d syncs within 100 ms", u.syncs.Load()-syncs)
				}
				if u.Stats().Parked || u.opens.Load() != 2 {
					t.Errorf("parked %v, opened %d times", u.Stats().Parked, u.opens.Load())
				}
				time.Sleep(33 * time.Second)
				if !u.Stats().Parked {
					t.Error("not parked again")
				}
			})
		})
	}
}

// TestParkingNever keeps the index open.
func TestParkingNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, &Options{ParkAfter: -1}, 0)
		defer u.stop(t)
		time.Sleep(time.Hour)
		if u.Stats().Parked {
			t.Error("parked")
		}
	})
}

// TestParkedSleeps counts how often Run wakes up when nothing happens: at most once in ten seconds.
func TestParkedSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, nil, 0)
		defer u.stop(t)
		time.Sleep(time.Minute)
		keeper := &upkeep{s: u.Store, verbs: u.lastVerb.Load(), quiet: time.Now(), parked: u.Stats().Parked}
		if pause := keeper.round(t.Context()); pause < 10*time.Second {
			t.Errorf("parked: the next round is after %v", pause)
		}
	})
}

// TestDamagedWhileParked finds the index damaged when it is opened again: it is rebuilt, and no verb fails.
func TestDamagedWhileParked(t *testing.T) {
	verbs := map[string]func(*Store) error{
		"get": func(s *Store) error {
			if text, err := getText(s, "k"); err != nil || text != "v" {
				return errors.Join(err, errors.New("a miss"))
			}
			return nil
		},
		"put":    func(s *Store) error { return putText(s, "new", "x") },
		"delete": func(s *Store) error { return s.Delete(context.Background(), nameKey("k")) },
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uncleanStore(t, dir, nil)
			defer s.Close(t.Context())
			if err := errors.Join(putText(s, "k", "v"), putText(s, "other", "w")); err != nil {
				t.Fatal(err)
			}
			if !s.park() {
				t.Fatal("not parked")
			}
			ruin(t, filepath.Join(dir, "index"))
			if err := verb(s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if text, err := getText(s, "other"); err != nil || text != "w" {
				t.Errorf("get after that: %q, %v", text, err)
			}
			if text, err := getText(s, "k"); err != nil || (text == "v") == (name == "delete") {
				t.Errorf("get of k: %q, %v", text, err)
			}
		})
	}
}

// ruin overwrites every file of a folder.
func ruin(t *testing.T, dir string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n++
		return errors.Join(os.Chmod(name, 0o644), os.WriteFile(name, []byte(strings.Repeat("garbage ", 9)), 0o644))
	})
	if err != nil || n == 0 {
		t.Fatal(n, err)
	}
}

// TestParkedIsDurable loses what was not synced under a store that has parked, without a close: who opens it next finds a
// root that was left in good order, and believes it.
func TestParkedIsDurable(t *testing.T) {
	mem := vfs.NewMem("/d")
	openIn := func(fsys vfs.FS) *Store {
		s, err := open(t.Context(), crashRoot, mustDefaults(t, &Options{Durability: None}), seams{fs: fsys})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
	s := openIn(mem)
	texts := map[string]string{"inline": "v", "file": strings.Repeat("payload ", 1000)}
	for name, text := range texts {
		if err := putText(s, name, text); err != nil {
			t.Fatal(err)
		}
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	after := openIn(mem.Crash(vfs.Loss{}))
	for name, text := range texts {
		if got, err := getText(after, name); err != nil || got != text {
			t.Errorf("%s after a power loss: %.20q, %v", name, got, err)
		}
	}
}

// TestDiscardMeetsParkedDamage gives a draft up after the index was damaged while it was parked: what else has its content
// stays.
func TestDiscardMeetsParkedDamage(t *testing.T) {
	dir := t.TempDir()
	s := uncleanStore(t, dir, nil)
	defer s.Close(t.Context())
	big := strings.Repeat("shared ", 999)
	if err := putText(s, "k", big); err != nil {
		t.Fatal(err)
	}
	d := s.NewDraft()
	if err := d.Add("out", 0o644, strings.NewReader(big)); err != nil {
		t.Fatal(err)
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	ruin(t, filepath.Join(dir, "index"))
	d.Discard()
	if got, err := getText(s, "k"); err != nil || got != big {
		t.Errorf("k: %.20q, %v", got, err)
	}
}

// TestCompactMeetsParkedDamage compacts a delete, whose key was put again, after the index was damaged while it was parked.
func TestCompactMeetsParkedDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := open(t.Context(), dir, mustDefaults(t, nil), osSeams(4<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	err = errors.Join(putText(s, "k", "old"), s.flog.Rotate(), s.Delete(t.Context(), nameKey("k")))
	for i := range 20 {
		err = errors.Join(err, putText(s, fmt.Sprint("f", i%2), fmt.Sprint(i, strings.Repeat("x", 900))))
	}
	if err := errors.Join(err, putText(s, "k", "new")); err != nil {
		t.Fatal(err)
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	ruin(t, filepath.Join(dir, "index"))
	if err := s.compactSegment(t.Context(), s.flog.Segments()[1].ID); err == nil { // the one that begins with the delete
		t.Error("compacted with a damaged index")
	}
	if got, err := getText(s, "k"); err != nil || got != "new" {
		t.Errorf("k: %.20q, %v", got, err)
	}
}

// TestCloseMeetsParkedDamage closes a store that has parked after a compaction did not come to its end, and whose index was
// damaged since: what the log has beside the index is no reason to write to the empty one in its place.
func TestCloseMeetsParkedDamage(t *testing.T) {
	dir := t.TempDir()
	s := uncleanStore(t, dir, nil)
	for _, err := range []error{putText(s, "gone", "v"), putText(s, "k", "v"), s.flog.Rotate(), s.Delete(t.Context(), nameKey("gone")),
		s.flog.Rotate(), putText(s, "other", "v")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !s.park() {
		t.Fatal("not parked")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.compactSegment(ctx, s.flog.Segments()[1].ID); err != nil { // moves the delete
		t.Fatal(err)
	}
	if !s.park() {
		t.Fatal("not parked again")
	}
	ruin(t, filepath.Join(dir, "index"))
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	s = uncleanStore(t, dir, nil)
	defer s.Close(t.Context())
	if got, err := getText(s, "k"); err != nil || got != "v" {
		t.Errorf("k: %q, %v", got, err)
	}
}

// TestCloseMeetsDamageOfATouch closes a store whose index is found damaged by the last uses that are still to be logged: the
// log has everything, so that is no error.
func TestCloseMeetsDamageOfATouch(t *testing.T) {
	mem, clock := vfs.NewMem("/d"), newClock()
	s := openTree(t, mem, &Options{Now: clock.now}, 0)
	if err := errors.Join(putText(s, "k", "v"), parked(s)); err != nil {
		t.Fatal(err)
	}
	clock.add(7200)
	if got, err := getText(s, "k"); err != nil || got != "v" {
		t.Fatal(got, err)
	}
	entries, err := mem.ReadDir(crashRoot + "/index")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		rewrite(t, mem, "index/"+e.Name(), func(b []byte) []byte { b[0]++; return b })
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
