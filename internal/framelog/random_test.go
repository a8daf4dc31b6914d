package framelog_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/larderbuild/larder/internal/framelog"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// hurt damages a random place of a random file and returns what it did.
func hurt(t *testing.T, fsys *vfs.Mem, r interface {
	IntN(int) int
	Uint64() uint64
}, segment uint64) string {
	name := fileOf(segment)
	b := readFile(t, fsys, name)
	at := r.IntN(len(b))
	n := min(len(b)-at, []int{1, 8, 64, 512}[r.IntN(4)])
	kind := r.IntN(4)
	switch kind {
	case 0:
		b[at] ^= 1 << r.IntN(8)
		n = 1
	case 1:
		clear(b[at : at+n])
	case 2:
		for i := range n {
			b[at+i] = byte(r.Uint64())
		}
	case 3:
		from := r.IntN(len(b)) &^ 7
		n = copy(b[at&^7:], slices.Clone(b[from:min(len(b), from+n)]))
		at &^= 7
	}
	writeFile(t, fsys, name, b)
	return fmt.Sprintf("kind %d at %d of segment %d, %d bytes", kind, at, segment, n)
}

// TestRandomDamage compares a log with a model through appends, reopens and damage: every
// frame outside the regions that a scan reports is there, and none that was not written.
func TestRandomDamage(t *testing.T) {
	r := testkit.Rand(t)
	for round := range 60 * rounds {
		fsys, m := vfs.NewMem(dir), model{}
		o := small()
		o.SegmentBytes = int64(200 + r.IntN(4000))
		for range 1 + r.IntN(4) {
			l := open(t, fsys, dir, o)
			for range r.IntN(20) {
				group := make([]string, 1+r.IntN(5))
				for i := range group {
					group[i] = string(testkit.Bytes(r, r.IntN(200)))
				}
				m.add(t, l, group...)
			}
			l.Close()
		}
		var did []string
		l := open(t, fsys, dir, o)
		for _, s := range l.Segments() {
			for range r.IntN(3) {
				did = append(did, hurt(t, fsys, r, s.ID))
			}
		}
		l = open(t, fsys, dir, o)
		s := scan(l, framelog.Pos{})
		m.without(s.damage).compare(t, l, s)
		if t.Failed() {
			t.Fatalf("round %d: %v; damage %v", round, did, s.damage)
		}
	}
}
