//go:build long

package index_test

import (
	"flag"
	"fmt"
	"github.com/larderbuild/larder/cache/internal/index"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

var harmLimit = flag.Int("harms", 0, "how many of the harms are tried, chosen at random; 0 is all")

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

// TestHarmThatKeepsTimes is a disk that gives back other bytes. Where the trailer of a block is hit, the engine is known
// to end the process: it slices by what it reads there, on a goroutine of its own. These offsets are left out.
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

func TestTrailers(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	tables, _ := filepath.Glob(filepath.Join(dir, "*.sst"))
	var all []harm
	for _, path := range tables {
		name := filepath.Base(path)
		ends, err := index.Blocks(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []int{ends[0], ends[len(ends)/2]} {
			for back := 1; back < 20; back++ {
				all = append(all, harm{name: fmt.Sprint(name, " trailer ", -back), bless: true, apply: rewrite(name, func(b []byte) []byte {
					b[end-back] ^= 0xff
					return b
				})})
			}
		}
	}
	t.Log(survive(t, dir, some(t, all)))
}
