package index_test

import (
	"errors"
	"os"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

// TestCloseWaits closes an index that somebody reads.
func TestCloseWaits(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	t.Run("for a get", func(t *testing.T) {
		x := open(t, copyOf(t, base))
		closed := make(chan error, 1)
		x.Reading(func() {
			go func() { closed <- x.Close() }()
			for !x.Awaited() && len(closed) == 0 {
			}
			if len(closed) > 0 {
				t.Error("closed during a get")
			}
		})
		must(t, <-closed)
	})
	t.Run("for a scan", func(t *testing.T) {
		dir := copyOf(t, base)
		x := open(t, dir)
		closed := make(chan error, 1)
		n := 0
		for _, err := range x.Scan([]byte("k"), nil) {
			must(t, err)
			if n++; n == 1 {
				go func() { closed <- x.Close() }()
				for err == nil {
					_, _, err = x.Get(lastKey, nil)
				}
				if !errors.Is(err, index.ErrClosed) {
					t.Error(err)
				}
				for range 5000 { // gives Close some time
					if _, err := os.ReadDir(dir); err != nil || len(closed) > 0 {
						t.Fatal("closed during a scan: ", err)
					}
				}
			}
		}
		must(t, <-closed)
		if n < small.keys/2 {
			t.Errorf("%d records", n)
		}
	})
}

// TestReadersKeepOldVersions applies while somebody reads: what an older snapshot shows must not be dropped.
func TestReadersKeepOldVersions(t *testing.T) {
	x := open(t, t.TempDir())
	must(t, small.play(x, 1, 3))
	before := x.Discarded()
	x.Reading(func() { must(t, small.play(x, 4, 6)) })
	during := x.Discarded()
	must(t, small.play(x, 7, 7))
	if after := x.Discarded(); before == 0 || during != before || after <= before {
		t.Errorf("dropped up to %d, during a read %d, after it %d", before, during, after)
	}
}
