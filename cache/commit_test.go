package cache

import (
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
