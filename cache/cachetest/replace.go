package cachetest

import "fmt"

// A put on an existing key wins at once.
var replaceRules = []rule{
	{"replace/wins", replaceWins},
	{"replace/leased", replaceLeased},
	{"replace/with the same", replaceWithSame},
}

func replaceWins(t *trial) {
	// Each step crosses a border at which a store may keep content elsewhere.
	for i, size := range []int{10, 5000, 20, 0, 6000, 7000} {
		t.roundTrip(keyOf(0), file(noise(size, i)))
	}
	t.roundTrip(keyOf(0), everything())
	t.roundTrip(keyOf(0), Artifact{ExitCode: 1})
	t.listed(keyOf(0))
}

// replaceLeased demands both sides of a put at a time: the old for who holds it, the new for all
// others.
func replaceLeased(t *trial) {
	ability[Holder](t, t.store)
	for i, size := range []int{10, 5000} {
		t.part(fmt.Sprint(size), func(t *trial) {
			old, young := file(noise(size, 1)), file(noise(size, 2))
			t.put(keyOf(i), old)
			l := t.get(keyOf(i))
			t.put(keyOf(i), young)
			t.want(keyOf(i), young)
			t.holds(l, old)
			l.Release()
			t.want(keyOf(i), young)
		})
	}
}

// replaceWithSame keeps a count of references honest: one delete is enough after two puts.
func replaceWithSame(t *trial) {
	for i, size := range []int{10, 5000} {
		a := file(noise(size, i))
		t.roundTrip(keyOf(i), a)
		t.roundTrip(keyOf(i), a)
		t.remove(keyOf(i))
		t.miss(keyOf(i))
	}
}
