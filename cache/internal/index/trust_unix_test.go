//go:build unix

package index_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

// TestWhatOpenReads harms a table under unchanged times. An open for reading after a close reads what the engine does, which
// may die of it; every other open reads all.
func TestWhatOpenReads(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	name := filepath.Base(tablesOf(t, base)[0])
	ends, err := index.Blocks(filepath.Join(base, name))
	if err != nil || len(ends) < 3 {
		t.Fatal(ends, err)
	}
	end := ends[len(ends)-1]
	writing, lazy, reading := index.Options{}, index.Options{Lazy: true}, index.Options{ReadOnly: true}
	cases := map[string]struct {
		at     int
		o      index.Options
		young  bool
		newer  bool // by its times
		killed bool
		unseen bool
	}{
		"last block":                   {at: end - 100, o: lazy},
		"entries of the last block":    {at: end - 12, o: lazy},
		"index":                        {at: end + 100, o: lazy},
		"first block":                  {at: 100, o: lazy, unseen: true},
		"first block on a full disk":   {at: 100, o: reading, unseen: true},
		"first block of a young table": {at: 100, o: lazy, young: true},
		"first block of a newer table": {at: 100, o: lazy, newer: true},
		"first block before writing":   {at: 100, o: writing},
		"first block after a kill":     {at: 100, o: lazy, killed: true},
		"full disk after a kill":       {at: 100, o: reading, killed: true},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			dir := copyOf(t, base)
			must(t, rewrite(name, func(b []byte) []byte { b[c.at] ^= 0x10; return b })(dir))
			if !c.newer {
				must(t, index.Bless(dir, c.young))
			}
			if c.killed {
				must(t, os.Rename(filepath.Join(dir, "state.clean"), filepath.Join(dir, "state.open")))
			}
			c.o.Dir = dir
			x, err := index.OpenBadger(c.o)
			if errors.Is(err, index.ErrDamaged) == c.unseen || c.unseen && err != nil {
				t.Errorf("open: %v", err)
			}
			if x != nil {
				must(t, x.Close())
			}
		})
	}
}
