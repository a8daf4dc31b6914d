package cachetest

import (
	"errors"
	"fmt"

	"github.com/larderbuild/larder/cache"
)

// A delete counts at once, and takes nothing from those who are reading.
var deleteRules = []rule{
	{"delete/gone at once", deleteGone},
	{"delete/absent", deleteAbsent},
	{"delete/others stay", deleteOthersStay},
	{"delete/leased", deleteLeased},
	{"delete/leased, then put", deleteLeasedThenPut},
}

// deleteGone goes round twice: what is deleted must also be putable again.
func deleteGone(t *trial) {
	for i, size := range []int{10, 5000} {
		a := file(noise(size, i))
		for range 2 {
			t.roundTrip(keyOf(i), a)
			t.remove(keyOf(i))
			t.miss(keyOf(i))
		}
	}
}

func deleteAbsent(t *trial) {
	if err := t.store.Delete(t.ctx, keyOf(0)); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("delete of a key that never was: %v; want ErrNotFound", err)
	}
	t.put(keyOf(1), text("x"))
	t.remove(keyOf(1))
	if err := t.store.Delete(t.ctx, keyOf(1)); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("second delete: %v; want ErrNotFound", err)
	}
}

func deleteOthersStay(t *trial) {
	for i := range 3 {
		t.put(keyOf(i), text(fmt.Sprint("value ", i)))
	}
	t.remove(keyOf(1))
	t.want(keyOf(0), text("value 0"))
	t.want(keyOf(2), text("value 2"))
}

// deleteLeased has two holders: the content stays until the last one has released it.
func deleteLeased(t *trial) {
	ability[Holder](t, t.store)
	for i, size := range []int{10, 5000, 1 << 20} {
		a := file(noise(size, i))
		t.put(keyOf(i), a)
		one, other := t.get(keyOf(i)), t.get(keyOf(i))
		t.remove(keyOf(i))
		t.miss(keyOf(i))
		t.holds(one, a)
		one.Release()
		t.holds(other, a)
		other.Release()
		t.miss(keyOf(i))
	}
}

// deleteLeasedThenPut has two versions of a key alive that never met in the store.
func deleteLeasedThenPut(t *trial) {
	ability[Holder](t, t.store)
	for i, size := range []int{10, 5000} {
		old, young := file(noise(size, 1)), file(noise(size, 2))
		t.put(keyOf(i), old)
		l := t.get(keyOf(i))
		t.remove(keyOf(i))
		t.roundTrip(keyOf(i), young)
		t.holds(l, old)
		l.Release()
		t.want(keyOf(i), young)
	}
}
