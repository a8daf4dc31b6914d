//go:build long

package index_test

import (
	"flag"
	"math/rand/v2"
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
