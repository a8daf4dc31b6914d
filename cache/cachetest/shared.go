package cachetest

import "fmt"

// Keys with the same content do not depend on each other, however a store shares that content.
var sharedRules = []rule{
	{"shared/delete one", sharedDeleteOne},
	{"shared/delete both, put again", sharedPutAgain},
	{"shared/leased", sharedLeased},
	{"shared/replace one", sharedReplaceOne},
}

var sharedSizes = []int{10, 5000, 100_000}

func sharedDeleteOne(t *trial) {
	for i, size := range sharedSizes {
		one, other := keyOf(2*i), keyOf(2*i+1)
		a := file(noise(size, i))
		t.put(one, a)
		t.put(other, a)
		t.remove(one)
		t.miss(one)
		t.want(other, a)
	}
}

// sharedPutAgain drops the last reference to a content, and then brings the content back.
func sharedPutAgain(t *trial) {
	for i, size := range sharedSizes {
		one, other := keyOf(2*i), keyOf(2*i+1)
		a := file(noise(size, i))
		for range 2 {
			t.put(one, a)
			t.put(other, a)
			t.remove(one)
			t.remove(other)
			t.miss(one)
			t.miss(other)
		}
		t.roundTrip(other, a)
		t.miss(one)
	}
}

// sharedLeased drops both keys while one of them is held, so that the lease alone keeps the
// content, and puts it again before the lease ends: the release must not take what is in use
// anew.
func sharedLeased(t *trial) {
	ability[Holder](t, t.store)
	for i, size := range sharedSizes {
		for lease := range 2 {
			t.part(fmt.Sprintf("%d, lease on %d", size, lease), func(t *trial) {
				one, other := keyOf(2*i), keyOf(2*i+1)
				a := file(noise(size, i))
				t.put(one, a)
				t.put(other, a)
				l := t.get(keyOf(2*i + lease))
				t.remove(one)
				t.want(other, a)
				t.remove(other)
				t.holds(l, a)
				t.roundTrip(one, a) // the content is held by the lease alone
				l.Release()
				t.want(one, a)
				t.miss(other)
			})
		}
	}
}

// sharedReplaceOne drops a reference by a put instead of a delete.
func sharedReplaceOne(t *trial) {
	for i, size := range sharedSizes {
		one, other := keyOf(2*i), keyOf(2*i+1)
		a := file(noise(size, i))
		t.put(one, a)
		t.put(other, a)
		t.roundTrip(one, text("new"))
		t.want(other, a)
		t.roundTrip(other, text("new"))
		t.roundTrip(one, a)
		t.want(other, text("new"))
	}
}
