package cache

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/vfs"
)

func openMem(t *testing.T, o *Options) (*Store, *vfs.Mem) {
	t.Helper()
	mem := vfs.NewMem("/d")
	s, err := open(t.Context(), crashRoot, mustDefaults(t, o), seams{fs: mem, segmentBytes: 4 << 10,
		openIndex: func() (index.Index, error) { return index.NewMem(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(t.Context()) })
	return s, mem
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
	s.distrustBefore.Store(1 << 40) // so that the file is not simply reused
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
