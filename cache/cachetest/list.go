package cachetest

import (
	"context"
	"errors"

	"github.com/larderbuild/larder/cache"
)

// A listing shows every key once, and never passes a part for the whole.
var listRules = []rule{
	{"list/empty", func(t *trial) { t.listed() }},
	{"list/every key once", listEveryKey},
	{"list/stops", listStops},
	{"list/body calls the store", listCallsBack},
	{"list/ended context", listEndedContext},
}

// listed demands that a listing of the quiet store shows exactly these keys.
func (t *trial) listed(keys ...cache.Key) {
	t.Helper()
	want := make(map[cache.Key]bool, len(keys))
	for _, key := range keys {
		want[key] = true
	}
	for key, err := range t.store.All(t.ctx) {
		switch {
		case err != nil:
			t.Fatalf("list: %v", err)
		case !want[key]:
			t.Errorf("list: key %v is not stored, or was listed already", key)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("list: key %v is missing", key)
	}
}

// listEveryKey lists after puts, replacements and deletes: each leaves traces of its own in a
// store.
func listEveryKey(t *trial) {
	var keys []cache.Key
	for i := range 300 {
		t.put(keyOf(i), text("x"))
		switch i % 3 {
		case 0:
			keys = append(keys, keyOf(i))
		case 1:
			keys = append(keys, keyOf(i))
			t.put(keyOf(i), text("replaced"))
		case 2:
			t.remove(keyOf(i))
		}
	}
	t.listed(keys...)
}

// listStops breaks off a listing and demands a store that still works.
func listStops(t *trial) {
	for i := range 10 {
		t.put(keyOf(i), text("x"))
	}
	n := 0
	for range t.store.All(t.ctx) {
		if n++; n == 3 {
			break
		}
	}
	t.roundTrip(keyOf(0), text("after the break"))
}

// listCallsBack changes the store from inside a listing, which may show or not show the changes.
func listCallsBack(t *trial) {
	for i := range 10 {
		t.put(keyOf(i), text("x"))
	}
	t.within("list whose body deletes and puts", func() error {
		for key, err := range t.store.All(t.ctx) {
			if err != nil || key == keyOf(100) {
				return err
			}
			if err := errors.Join(
				same(t.ctx, t.store, key, text("x")),
				t.store.Delete(t.ctx, key),
				absent(t.ctx, t.store, key),
				t.store.Put(t.ctx, keyOf(100), text("new")),
			); err != nil {
				return err
			}
		}
		return nil
	})
	t.want(keyOf(100), text("new"))
}

// listEndedContext demands an error at the end of a list that was cut: who decides by a list
// what to delete must know that it is not whole.
func listEndedContext(t *trial) {
	for i := range 10 {
		t.put(keyOf(i), text("x"))
	}
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	var last error
	for _, err := range t.store.All(ctx) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("list whose context ends: the last error is %v; want context.Canceled", last)
	}
}
