package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

// plant makes a payload file that nothing refers to, of a given age.
func plant(t *testing.T, s *Store, digest Digest, age time.Duration) string {
	t.Helper()
	path := s.blobPath(&digest)
	at := s.now().Add(-age)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("orphan"), 0o644), os.Chtimes(path, at, at))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func there(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// TestOrphans drops payload files of more than a day that nothing refers to, and no other file.
func TestOrphans(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	s := uncleanStore(t, dir, &Options{Now: clock.now})
	defer s.Close(t.Context())
	big := strings.Repeat("content ", 1000)
	if err := putText(s, "k", big); err != nil {
		t.Fatal(err)
	}
	path, _, err := pathText(t, s, "k")
	if err != nil {
		t.Fatal(err)
	}
	ago := clock.now().Add(-1000 * time.Hour)
	if err := os.Chtimes(path, ago, ago); err != nil { // old, but referred to
		t.Fatal(err)
	}
	d := s.NewDraft() // brought in, not put yet
	defer d.Discard()
	taken := filepath.Join(t.TempDir(), "taken")
	err = errors.Join(os.WriteFile(taken, []byte(big+"taken"), 0o644), os.Chtimes(taken, ago, ago), d.TakeFile("out", taken))
	if err != nil {
		t.Fatal(err)
	}
	old := plant(t, s, Digest{1, 2, 3}, 24*time.Hour+time.Second)
	young := plant(t, s, Digest{1, 2, 4}, 24*time.Hour-time.Second)
	stranger := filepath.Join(filepath.Dir(old), "README")
	if err := errors.Join(os.WriteFile(stranger, nil, 0o644), os.Chtimes(stranger, ago, ago)); err != nil {
		t.Fatal(err)
	}
	rep, err := s.Verify(t.Context(), nil)
	if err != nil || there(old) || !there(young) || !there(stranger) {
		t.Errorf("%+v, %v; old %v, young %v, stranger %v", rep, err, there(old), there(young), there(stranger))
	}
	if err := s.Put(t.Context(), nameKey("taken"), d); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"k": big, "taken": big + "taken"} {
		if got, err := getText(s, name); err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if rep.Orphans < 1 || s.Stats().Orphans != uint64(rep.Orphans) {
		t.Errorf("%+v, stats %+v", rep, s.Stats())
	}
	clock.add(10)
	rep, err = s.Verify(t.Context(), nil)
	if err != nil || there(young) || rep.Orphans != 1 {
		t.Errorf("ten seconds later: %+v, %v, young %v", rep, err, there(young))
	}
}

// TestOrphansOfIncompleteLog deletes nothing while the index is being rebuilt, and nothing when a part of the log cannot
// be read: what it held may refer to the file.
func TestOrphansOfIncompleteLog(t *testing.T) {
	harms := map[string]func(t *testing.T, s *Store){
		"rebuilding": func(t *testing.T, s *Store) { halfRebuilt(t, s, 1) },
		"damaged frame": func(t *testing.T, s *Store) {
			harmLog(t, s, func(name string, b []byte) error {
				at := bytes.Index(b, []byte("needle"))
				b[at] ^= 1
				return os.WriteFile(name, b, 0o644)
			})
		},
		"lost segment": func(t *testing.T, s *Store) {
			harmLog(t, s, func(name string, _ []byte) error { return os.Remove(name) })
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := open(t.Context(), dir, mustDefaults(t, nil), osSeams(4<<10))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				s.upkeep.Store(false)
				s.Close(t.Context())
			}()
			for i := range 20 {
				if err := putText(s, fmt.Sprint("k", i), fmt.Sprint("needle ", i, strings.Repeat("x", 900))); err != nil {
					t.Fatal(err)
				}
			}
			if name != "rebuilding" {
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				harm(t, s)
				if s, err = open(t.Context(), dir, mustDefaults(t, nil), osSeams(4<<10)); err != nil {
					t.Fatal(err)
				}
			} else {
				harm(t, s)
			}
			path := plant(t, s, Digest{9}, 100*time.Hour)
			n, err := s.dropOrphans(t.Context())
			if n != 0 || err != nil || !there(path) {
				t.Errorf("%d dropped, %v, file there: %v", n, err, there(path))
			}
		})
	}
}

// harmLog does something to the first segment of a closed store.
func harmLog(t *testing.T, s *Store, harm func(name string, b []byte) error) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(s.dir, "log", "*.log"))
	if err != nil || len(logs) < 3 {
		t.Fatal(logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err == nil {
		err = harm(logs[0], b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOrphansSpareWhatTheIndexForgot keeps a file whose record an index has lost without telling: the log knows it.
func TestOrphansSpareWhatTheIndexForgot(t *testing.T) {
	clock := newClock()
	s := uncleanStore(t, t.TempDir(), &Options{Now: clock.now})
	defer s.Close(t.Context())
	if err := putText(s, "k", strings.Repeat("content ", 1000)); err != nil {
		t.Fatal(err)
	}
	path, _, err := pathText(t, s, "k")
	if err != nil {
		t.Fatal(err)
	}
	ago := clock.now().Add(-1000 * time.Hour)
	if err := os.Chtimes(path, ago, ago); err != nil {
		t.Fatal(err)
	}
	s.commitMu.Lock()
	d, err := ParseDigest(filepath.Base(path))
	s.setPayload(&d, nil)
	s.commitMu.Unlock()
	if n, derr := s.dropOrphans(t.Context()); n != 0 || errors.Join(err, derr) != nil || !there(path) {
		t.Errorf("%d dropped, %v, %v, file there: %v", n, err, derr, there(path))
	}
}

// TestOrphansInPortions drops more than a portion of one folder, which is never listed as a whole.
func TestOrphansInPortions(t *testing.T) {
	mem, many := vfs.NewMem("/d"), sweepPortion+sweepPortion/2
	faults := vfs.NewFaults(mem, nil)
	s := openTree(t, faults, &Options{Now: func() time.Time { return time.Now().Add(orphanAge + time.Hour) }}, 0)
	if err := putText(s, "k", "inline"); err != nil {
		t.Fatal(err)
	}
	lose(t, s) // makes its folder
	first, err := mem.ReadDir(crashRoot + "/blobs")
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	digit, err := strconv.ParseUint(first[0].Name(), 16, 8)
	if err != nil {
		t.Fatal(err)
	}
	for i := range many - 1 {
		d := Digest{byte(digit << 4), 1, byte(i), byte(i >> 8)}
		f, err := mem.OpenFile(s.blobPath(&d), os.O_CREATE|os.O_WRONLY, 0o444)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	faults.SetHook(func(o vfs.Op) vfs.Fault {
		if o.Kind == vfs.OpReadDir && (o.Size == 0 || o.Size > sweepPortion) {
			t.Errorf("%v: %d entries", o, o.Size)
		}
		return vfs.Fault{}
	})
	if n, err := s.dropOrphans(t.Context()); n != int64(many) || err != nil {
		t.Errorf("%d of %d dropped, %v", n, many, err)
	}
}

// unreadable is an index that cannot be read at times.
type unreadable struct {
	*index.Mem
	err error
}

func (x *unreadable) Get(key, dst []byte) ([]byte, bool, error) {
	if x.err != nil {
		return nil, false, x.err
	}
	return x.Mem.Get(key, dst)
}

// TestOrphanPutMeanwhile puts the content of an orphan after the search has found it and while it reads the log.
func TestOrphanPutMeanwhile(t *testing.T) {
	content := strings.Repeat("x", 5000)
	later := map[string]func(t *testing.T, s *Store, ix *unreadable){
		"known":                         func(*testing.T, *Store, *unreadable) {},
		"only to an index that is lost": func(t *testing.T, s *Store, _ *unreadable) { halfRebuilt(t, s, 0) },
		"only to an index that cannot be read": func(t *testing.T, s *Store, ix *unreadable) {
			flushNow(t, s)
			ix.err = errIO
		},
	}
	for name, later := range later {
		t.Run(name, func(t *testing.T) {
			ix := &unreadable{Mem: index.NewMem()}
			faults := vfs.NewFaults(vfs.NewMem("/d"), nil)
			opt := mustDefaults(t, &Options{Now: func() time.Time { return time.Now().Add(orphanAge + time.Hour) }})
			s, err := open(t.Context(), crashRoot, opt, seams{fs: faults, openIndex: func() (index.Index, error) {
				ix.Mem = index.NewMem()
				return ix, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			lose(t, s)
			if err := putText(s, "other", "so that there is a log"); err != nil {
				t.Fatal(err)
			}
			faults.SetHook(func(o vfs.Op) vfs.Fault {
				if o.Kind == vfs.OpRead && strings.HasSuffix(o.Path, ".log") {
					faults.SetHook(nil)
					if err := putText(s, "k", content); err != nil {
						t.Error(err)
					}
					later(t, s, ix)
				}
				return vfs.Fault{}
			})
			if n, err := s.dropOrphans(t.Context()); n != 0 || err != nil {
				t.Errorf("%d dropped, %v", n, err)
			}
			faults.SetHook(nil)
			ix.err = nil
			s.upkeep.Store(false)
			if got, err := getText(s, "k"); got != content || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// TestRunDropsOrphans has Run look for them once a day.
func TestRunDropsOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, &Options{ParkAfter: -1}, 0)
		defer u.stop(t)
		digest := lose(t, u.Store)
		time.Sleep(24*time.Hour + time.Minute)
		_, err := u.fs.Lstat(u.blobPath(&digest))
		time.Sleep(24 * time.Hour)
		if _, later := u.fs.Lstat(u.blobPath(&digest)); !isNotExist(later) || u.Stats().Orphans != 1 {
			t.Errorf("after a day %v, after two %v; stats %+v", err, later, u.Stats())
		}
	})
}

// lose leaves a payload file that nothing refers to, as a crash does.
func lose(t *testing.T, s *Store) Digest {
	t.Helper()
	d := s.NewDraft()
	if err := d.Add("out", 0o644, strings.NewReader(strings.Repeat("x", 5000))); err != nil {
		t.Fatal(err)
	}
	digest := d.facts[0].digest
	d.done = true
	s.unpin([]Digest{digest})
	return digest
}

// TestShortRunDropsOrphans has Run look for them although it never runs for a day, and not all at once.
func TestShortRunDropsOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpkept(t, &Options{ParkAfter: -1}, 0)
		defer u.stop(t)
		u.cancel()
		<-u.ran
		lose(t, u.Store)
		time.Sleep(25 * time.Hour)
		u.run()
		time.Sleep(orphanFirst + 10*time.Second)
		early := u.Stats().Orphans
		time.Sleep(2 * time.Minute)
		if now := u.Stats().Orphans; early != 0 || now != 1 {
			t.Errorf("%d dropped after ten seconds, %d after two minutes", early, now)
		}
	})
}
