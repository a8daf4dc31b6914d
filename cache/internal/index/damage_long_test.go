//go:build long

package index_test

import (
	"flag"
	"github.com/larderbuild/larder/cache/internal/index"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

var harmLimit = flag.Int("harms", 30, "how many of the harms are tried, chosen at random; 0 is all")

func some(t *testing.T, all []harm) []harm {
	t.Helper()
	t.Logf("%d harms", len(all))
	if *harmLimit > 0 && *harmLimit < len(all) {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:*harmLimit]
	}
	return all
}

func TestEveryHarmToAClosedIndex(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	t.Log(survive(t, dir, some(t, harms(t, dir))))
}

func TestEveryHarmToAKilledIndex(t *testing.T) {
	dir := t.TempDir()
	killedIndex(t, dir)
	t.Log(survive(t, dir, some(t, harms(t, dir))))
}

// TestHarmThatKeepsTimes is a disk that gives back other bytes under unchanged times. Reads and compactions notice.
func TestHarmThatKeepsTimes(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	var all []harm
	for _, h := range harms(t, dir) {
		if strings.Contains(h.name, ".sst") && strings.Contains(h.name, " at ") {
			h.bless = true
			all = append(all, h)
		}
	}
	t.Log(survive(t, dir, some(t, all)))
}

// TestDeathsEnd hits the trailer of a block under unchanged times, which nothing notices before a compaction
// of the engine slices by it, on a goroutine of its own, and ends the process. That must not go on for ever: after two
// deaths the index is found damaged.
func TestDeathsEnd(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "0")
	closedIndex(t, dir)
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	for _, path := range tables {
		ends, err := index.Blocks(path)
		must(t, err)
		must(t, rewrite(filepath.Base(path), func(b []byte) []byte {
			b[ends[len(ends)/2]-11] ^= 0xff // the number of entries
			return b
		})(dir))
	}
	must(t, index.Bless(dir))
	for deaths := range 3 {
		out, err := child(t, "TestChildSurvives", root)
		if err == nil {
			t.Logf("after %d deaths: %s", deaths, out)
			if !strings.Contains(out, "damaged at open") {
				t.Error("the index was not found damaged")
			}
			return
		}
	}
	t.Error("the process died three times")
}
