package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// uncleanStore opens a store that can be left as a killed process leaves one.
func uncleanStore(t *testing.T, dir string, o *Options) *Store {
	t.Helper()
	s, err := open(t.Context(), dir, mustDefaults(t, o), osSeams(0))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// abandonStore closes the files and nothing else: what is not in the index yet stays out of it.
func abandonStore(t *testing.T, s *Store) {
	t.Helper()
	if err := s.discard(); err != nil {
		t.Fatal(err)
	}
}

func pathText(t *testing.T, s *Store, name string) (path, text string, err error) {
	t.Helper()
	a, err := s.Get(t.Context(), nameKey(name))
	if err != nil {
		return "", "", err
	}
	defer a.Release()
	if path, err = a.Path("out"); err != nil {
		return "", "", err
	}
	b, err := os.ReadFile(path)
	return path, string(b), err
}

// zeroSilently overwrites a byte, and no size, mtime, mode or inode tells of it: so may a power loss.
func zeroSilently(t *testing.T, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	err = os.Chmod(path, 0o644)
	f, oerr := os.OpenFile(path, os.O_WRONLY, 0)
	if oerr != nil {
		t.Fatal(oerr)
	}
	_, werr := f.WriteAt([]byte{0}, 7)
	err = errors.Join(err, werr, f.Close(), os.Chtimes(path, fi.ModTime(), fi.ModTime()), os.Chmod(path, fi.Mode()))
	if err != nil {
		t.Fatal(err)
	}
}

// TestPathAfterUncleanStart demands that a payload file is hashed before its path is handed out: its bytes may have
// been lost although its size and times are right.
func TestPathAfterUncleanStart(t *testing.T) {
	big := strings.Repeat("0123456789", 500)
	cases := map[string]struct {
		flush  bool // the index has the entry before the crash
		harm   func(dir string) error
		reput  bool // the content is put again before it is asked for
		inline bool // it is asked for by a key that holds it inline
	}{
		"entry in the log alone":        {},
		"entry in the index":            {flush: true},
		"index lost":                    {flush: true, harm: func(dir string) error { return os.RemoveAll(filepath.Join(dir, "index")) }},
		"put again":                     {reput: true},
		"written out for an inline one": {inline: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uncleanStore(t, dir, &Options{InlineBelow: -1})
			if err := putText(s, "k", big); err != nil {
				t.Fatal(err)
			}
			if err := putText(s, "small", big[:100]); err != nil {
				t.Fatal(err)
			}
			wrong := "k"
			if c.inline {
				wrong = "small"
			}
			path, _, err := pathText(t, s, wrong)
			if err != nil {
				t.Fatal(err)
			}
			if c.flush {
				s.commitMu.Lock()
				err = s.flush(false)
				s.commitMu.Unlock()
			}
			abandonStore(t, s)
			zeroSilently(t, path)
			if c.harm != nil {
				err = errors.Join(err, c.harm(dir))
			}
			if err != nil {
				t.Fatal(err)
			}
			clock := newClock()
			clock.ns.Store(time.Now().UnixNano())
			s = uncleanStore(t, dir, &Options{Now: func() time.Time { clock.add(1); return clock.now() }})
			defer s.Close(t.Context())
			askAfterCrash(t, s, c.reput, c.inline, big)
		})
	}
}

func askAfterCrash(t *testing.T, s *Store, reput, inline bool, big string) {
	t.Helper()
	name, want := "k", big
	switch {
	case reput:
		if err := putText(s, "k", big); err != nil {
			t.Fatal(err)
		}
	case inline:
		name, want = "other", big[:100]
		if err := putText(s, name, want); err != nil {
			t.Fatal(err)
		}
	default:
		if _, text, err := pathText(t, s, name); !errors.Is(err, ErrCorrupt) {
			t.Errorf("path of wrong bytes %.20q: %v", text, err)
		}
		return
	}
	if _, text, err := pathText(t, s, name); err != nil || text != want {
		t.Errorf("path holds %.20q, %v", text, err)
	}
}

// TestPathAfterUncleanStartAndClockSetBack sets the clock back between a crash and the next start: what was hashed before the
// crash, at a time that is still to come, is not believed, nor when that time has come.
func TestPathAfterUncleanStartAndClockSetBack(t *testing.T) {
	cases := map[string]struct {
		again int64 // seconds after the put in which the payload is hashed again
		after int64 // seconds after the start in which the path is asked for
	}{
		"at once":                  {},
		"when the put has come":    {after: 101},
		"hashed again":             {again: 1000},
		"when that hash has come":  {again: 1000, after: 1101},
		"between the put and that": {again: 1000, after: 500},
		"long after the last hash": {again: 1000, after: 2000},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			o := &Options{Now: clock.now, VerifyAfter: 500 * time.Second}
			s := uncleanStore(t, dir, o)
			if err := putText(s, "k", strings.Repeat("0123456789", 500)); err != nil {
				t.Fatal(err)
			}
			clock.add(c.again)
			path, _, err := pathText(t, s, "k")
			if err != nil {
				t.Fatal(err)
			}
			flushNow(t, s)
			abandonStore(t, s)
			zeroSilently(t, path)
			clock.add(-c.again - 100)
			s = uncleanStore(t, dir, o)
			defer s.Close(t.Context())
			clock.add(c.after)
			if _, text, err := pathText(t, s, "k"); !errors.Is(err, ErrCorrupt) {
				t.Errorf("path of wrong bytes %.20q: %v", text, err)
			}
		})
	}
}

// TestPathHashedOnceAfterUncleanStart believes a hash until the schedule asks for another: it does not hash for ever.
func TestPathHashedOnceAfterUncleanStart(t *testing.T) {
	dir := t.TempDir()
	clock := newClock()
	s := uncleanStore(t, dir, &Options{Now: clock.now})
	if err := putText(s, "k", strings.Repeat("0123456789", 500)); err != nil {
		t.Fatal(err)
	}
	abandonStore(t, s)
	clock.add(2)
	s = uncleanStore(t, dir, &Options{Now: clock.now})
	defer s.Close(t.Context())
	clock.add(2)
	path, _, err := pathText(t, s, "k")
	if err != nil {
		t.Fatal(err)
	}
	zeroSilently(t, path)
	if _, _, err := pathText(t, s, "k"); err != nil {
		t.Errorf("hashed again: %v", err)
	}
}

// TestLinkedOverAKill kills a process that has handed a link out and logged nothing: the next one knows that the file may
// have been changed through it.
func TestLinkedOverAKill(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	s := uncleanStore(t, dir, nil)
	d := s.NewDraft()
	err := d.Add("out", 0o444, strings.NewReader(strings.Repeat("0123456789", 500)))
	if err = errors.Join(err, s.Put(t.Context(), nameKey("k"), d), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	s = uncleanStore(t, dir, nil)
	a := hold(t, s, "k")
	root, err := os.OpenRoot(out)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	list, err := a.Deliver(t.Context(), root, &DeliverOptions{Mode: Link})
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	abandonStore(t, s)
	if list[0].How != Linked {
		t.Skip("links are not made for this mode here")
	}
	link := filepath.Join(out, "out")
	zeroSilently(t, link)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	s = uncleanStore(t, dir, nil)
	defer s.Close(t.Context())
	if _, text, err := pathText(t, s, "k"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("path of wrong bytes %.20q: %v", text, err)
	}
}

// TestPathWrittenBehindHash writes into a payload file just when it has been hashed: the next hand-out finds that.
func TestPathWrittenBehindHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem("/d")
		faults := vfs.NewFaults(mem, nil)
		clock := newClock()
		s := openTree(t, faults, &Options{Now: clock.now}, 0)
		if err := putText(s, "k", strings.Repeat("0123456789", 500)); err != nil {
			t.Fatal(err)
		}
		s.distrustBefore.Store(unixSeconds(clock.now()))
		clock.add(1)
		a := hold(t, s, "k")
		path, hashed := s.blobPath(&a.rec.digest), false
		faults.SetHook(func(o vfs.Op) vfs.Fault {
			switch {
			case o.Path != path:
			case o.Kind == vfs.OpRead:
				hashed = true
			case hashed:
				hashed = false
				time.Sleep(time.Millisecond) // some systems have a clock that stands still for as long as the test takes
				overwrite(t, mem, path)
			}
			return vfs.Fault{}
		})
		if _, err := a.Path("out"); err != nil {
			t.Fatal(err)
		}
		faults.SetHook(nil)
		if _, err := a.Path("out"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("path of wrong bytes: %v", err)
		}
	})
}

// overwrite writes into a file.
func overwrite(t *testing.T, fsys vfs.FS, path string) {
	t.Helper()
	f, err := fsys.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("wrong"), 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
