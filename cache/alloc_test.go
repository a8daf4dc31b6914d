package cache

import (
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

// TestGetAllocations bounds what a get and its release allocate: two more than the index's own get where that has the
// entry, three in all where it is newer than the index.
func TestGetAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	s := uncleanStore(t, t.TempDir(), nil)
	defer s.Close(t.Context())
	for _, name := range []string{"flushed", "other"} {
		if err := putText(s, name, "v"); err != nil {
			t.Fatal(err)
		}
	}
	flushNow(t, s)
	if err := putText(s, "fresh", "v"); err != nil {
		t.Fatal(err)
	}
	key := nameKey("flushed")
	ik := indexKey(prefixArtifact, (*[32]byte)(&key))
	buf := make([]byte, 0, index.MaxValue)
	own := testing.AllocsPerRun(1000, func() {
		if _, ok, err := s.idx.Get(ik[:], buf); !ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	allocs := func(name string) float64 {
		key := nameKey(name)
		return testing.AllocsPerRun(1000, func() {
			a, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			a.Release()
		})
	}
	flushed, fresh := allocs("flushed"), allocs("fresh")
	t.Logf("index %.1f, flushed %.1f, fresh %.1f", own, flushed, fresh)
	if flushed > own+2 {
		t.Errorf("get and release allocate %.1f times, the index's get %.1f times", flushed, own)
	}
	if fresh > 3 {
		t.Errorf("get and release of an entry that is newer than the index allocate %.1f times", fresh)
	}
}
