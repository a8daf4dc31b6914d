package cache

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

func openMem(t *testing.T, o *Options) (*Store, *vfs.Mem) {
	t.Helper()
	mem := vfs.NewMem("/d")
	return openOn(t, mem, o), mem
}

func openOn(t *testing.T, fsys vfs.FS, o *Options) *Store {
	t.Helper()
	s, err := open(t.Context(), crashRoot, mustDefaults(t, o), seams{fs: fsys, segmentBytes: 4 << 10,
		openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(t.Context()) })
	return s
}

func flushNow(t *testing.T, s *Store) {
	t.Helper()
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.flush(false); err != nil {
		t.Fatal(err)
	}
}

// TestGroupOrder commits changes of one key in one group: what depends on a version must not outlive a change that
// stands before it in the group.
func TestGroupOrder(t *testing.T) {
	for _, kind := range []frameKind{framePut, frameDelete} {
		s, _ := openMem(t, nil)
		if err := putText(s, "k", "old"); err != nil {
			t.Fatal(err)
		}
		key := nameKey("k")
		var old record
		if had, err := s.current(&key, &old); !had || err != nil {
			t.Fatal(had, err)
		}
		put := newOp(framePut, &key)
		put.rec, put.area = old, []byte("new")
		put.rec.digest, put.rec.xxh, put.rec.content = Digest{1}, 0xe6fbfb2fcdd1df70, 3
		dependent := newOp(kind, &key)
		dependent.rec, dependent.area, dependent.only = old, []byte("old"), old.pos
		s.commitMu.Lock()
		s.commitGroup([]*op{put, dependent})
		s.commitMu.Unlock()
		var now record
		if had, err := s.current(&key, &now); !had || err != nil || now.digest != put.rec.digest {
			t.Errorf("after a put and a dependent change of kind %d: %v, %v, digest %v", kind, had, err, now.digest)
		}
	}
}

// TestGroupTouchesAndMoves renews the last use of an entry in the group in which compaction moves it.
func TestGroupTouchesAndMoves(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := putText(s, "k", "text"); err != nil {
		t.Fatal(err)
	}
	key := nameKey("k")
	var old, now record
	if had, err := s.current(&key, &old); !had || err != nil {
		t.Fatal(had, err)
	}
	touch, move := newOp(frameTouch, &key), newOp(framePut, &key)
	touch.rec.lastUse, touch.rec.uses = old.lastUse+7, old.uses+1
	move.rec, move.area, move.only = old, []byte("text"), old.pos
	s.commitMu.Lock()
	s.commitGroup([]*op{touch, move})
	s.commitMu.Unlock()
	had, err := s.current(&key, &now)
	if !had || err != nil || now.pos == old.pos || now.lastUse != old.lastUse+7 || now.uses != old.uses+1 {
		t.Errorf("%v, %v: at %v, last use %d, uses %d; it was at %v, %d, %d", had, err, now.pos, now.lastUse, now.uses, old.pos, old.lastUse, old.uses)
	}
}

// TestGroupDeletesWhatItPut deletes a key in the group that puts it first.
func TestGroupDeletesWhatItPut(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := putText(s, "template", "text"); err != nil {
		t.Fatal(err)
	}
	template, key := nameKey("template"), nameKey("k")
	put, del := newOp(framePut, &key), newOp(frameDelete, &key)
	if had, err := s.current(&template, &put.rec); !had || err != nil {
		t.Fatal(had, err)
	}
	put.area = []byte("text")
	s.commitMu.Lock()
	s.commitGroup([]*op{put, del})
	s.commitMu.Unlock()
	if got, err := getText(s, "k"); put.err != nil || del.err != nil || got != "" || err != nil {
		t.Errorf("put: %v, delete: %v, then %q, %v", put.err, del.err, got, err)
	}
}

// TestReplacesWhatWasPutSince commits a put that found nothing under its key, and before it another, which the index has by
// then.
func TestReplacesWhatWasPutSince(t *testing.T) {
	s, _ := openMem(t, nil)
	if err := putText(s, "template", "text"); err != nil {
		t.Fatal(err)
	}
	template, key := nameKey("template"), nameKey("k")
	put := newOp(framePut, &key)
	if had, err := s.current(&template, &put.rec); !had || err != nil {
		t.Fatal(had, err)
	}
	put.area = []byte("text")
	s.ask(put)
	if err := putText(s, "k", strings.Repeat("before ", 999)); err != nil {
		t.Fatal(err)
	}
	flushNow(t, s)
	if err := s.commit(put); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Entries != 2 || st.Payloads != 0 {
		t.Errorf("%d entries, %d payloads", st.Entries, st.Payloads)
	}
}

// TestAdoptPayload puts content whose file cannot be replaced, as on Windows while somebody reads it: the file is taken as it
// is when it holds the same, and the put fails when it does not.
func TestAdoptPayload(t *testing.T) {
	mem := vfs.NewMem("/d")
	faults := vfs.NewFaults(mem, nil)
	s, err := open(t.Context(), crashRoot, mustDefaults(t, &Options{Reserve: -1}), seams{fs: faults,
		openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	text := strings.Repeat("file ", 1000)
	if err := putText(s, "a", text); err != nil {
		t.Fatal(err)
	}
	s.distrustBefore.Store(math.MaxUint32) // so that the file is not simply reused
	faults.SetHook(vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpRename }, vfs.Fault{Err: fs.ErrPermission}))
	if err := putText(s, "b", text); err != nil {
		t.Errorf("put of a content whose file cannot be replaced: %v", err)
	}
	if got, err := getText(s, "b"); err != nil || got != text {
		t.Errorf("get: %.20q, %v", got, err)
	}
	if err := putText(s, "c", text+"!"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("put of a content that has no file: %v", err)
	}
	for _, wrong := range []string{"File" + text[4:], text[1:], text + "!"} {
		writeBlob(t, s, text, wrong)
		if err := putText(s, "b", text); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("put of a content whose file has %d wrong bytes: %v", len(wrong), err)
		}
	}
}

// TestPlacedFileIsLookedAt adds content whose file another draft has placed and somebody has changed since.
func TestPlacedFileIsLookedAt(t *testing.T) {
	s, _ := openMem(t, nil)
	text := strings.Repeat("file ", 1000)
	d := s.NewDraft()
	defer d.Discard()
	if err := d.Add("out", 0o644, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	writeBlob(t, s, text, text[1:])
	if err := putText(s, "k", text); err != nil {
		t.Fatal(err)
	}
	if got, err := getText(s, "k"); got != text || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// writeBlob writes bytes into the payload file of a content.
func writeBlob(t *testing.T, s *Store, content, b string) {
	t.Helper()
	d := Digest(sha256.Sum256([]byte(content)))
	f, err := s.fs.OpenFile(s.blobPath(&d), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write([]byte(b))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestUnsyncedBounded fills the list of files that Durability None has not synced: it is worked off before it grows further.
func TestUnsyncedBounded(t *testing.T) {
	s, _ := openMem(t, &Options{Durability: None})
	for i := range maxUnsynced - 1 {
		d := Digest{byte(i), byte(i >> 8), byte(i >> 16), 1}
		if s.markUnsynced(&d) {
			t.Fatalf("full with %d files", i+1)
		}
	}
	if err := putText(s, "k", strings.Repeat("file ", 1000)); err != nil {
		t.Fatal(err)
	}
	if n := len(s.unsyncedFiles.files); n > 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestFileGrowsWhileTaken appends to a file after its content was hashed: the draft fails.
func TestFileGrowsWhileTaken(t *testing.T) {
	verbs := map[string]func(d *Draft, path string) error{
		"add":  func(d *Draft, path string) error { return d.AddFile("out", path) },
		"take": func(d *Draft, path string) error { return d.TakeFile("out", path) },
	}
	for name, verb := range verbs {
		t.Run(name, func(t *testing.T) {
			faults := vfs.NewFaults(vfs.OS{}, nil)
			s, err := open(t.Context(), filepath.Join(t.TempDir(), "root"), mustDefaults(t, nil), seams{fs: faults,
				openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close(t.Context())
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, make([]byte, 5000), 0o644); err != nil {
				t.Fatal(err)
			}
			grown := false
			faults.SetHook(func(o vfs.Op) (f vfs.Fault) {
				if o.Kind == vfs.OpChmod && !grown {
					grown = true
					f.Err = os.Truncate(o.Path, 5001)
				}
				return f
			})
			d := s.NewDraft()
			defer d.Discard()
			if err := verb(d, path); err == nil || !grown {
				t.Errorf("%v, grown: %v", err, grown)
			}
		})
	}
}

// TestDeleteIdleInAGroup commits the delete of an idle entry together with a put of its key before it.
func TestDeleteIdleInAGroup(t *testing.T) {
	clock := newClock()
	s, _ := openMem(t, &Options{Now: clock.now})
	if err := putText(s, "k", "old"); err != nil {
		t.Fatal(err)
	}
	clock.add(100_000)
	key := nameKey("k")
	put, idle := newOp(framePut, &key), newOp(frameDelete, &key)
	if had, err := s.current(&key, &put.rec); !had || err != nil {
		t.Fatal(had, err)
	}
	put.area = []byte("old")
	idle.idle = new(clock.now().Add(-24 * time.Hour))
	s.commitMu.Lock()
	s.commitGroup([]*op{put, idle})
	s.commitMu.Unlock()
	if !errors.Is(idle.err, ErrInUse) {
		t.Errorf("delete: %v", idle.err)
	}
	if got, err := getText(s, "k"); err != nil || got != "old" {
		t.Errorf("after the put: %q, %v", got, err)
	}
}
