package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

// list collects All.
func (k *kitchen) list() map[cache.Key]cache.Entry {
	k.t.Helper()
	m := map[cache.Key]cache.Entry{}
	for e, err := range k.All(k.t.Context()) {
		k.must(err)
		if _, twice := m[e.Key]; twice {
			k.t.Errorf("%v is listed twice", e.Key)
		}
		m[e.Key] = e
	}
	return m
}

// TestListEntries lists what is known of each entry, whether the index has it or not.
func TestListEntries(t *testing.T) {
	k := newKitchen(t, nil)
	d := k.NewDraft()
	d.SetStreams([]byte("12345"), nil, 3)
	d.SetCost(time.Minute)
	k.must(d.Add("a", 0o644, strings.NewReader(strings.Repeat("x", 5000))))
	k.must(d.Add("b", 0o644, strings.NewReader("")))
	k.must(d.AddSymlink("c", "a"))
	k.must(k.Put(t.Context(), keyOf("k"), d))
	k.put("held", "x")
	held := k.get("held")
	for range 2 {
		m := k.list()
		e := m[keyOf("k")]
		if e.Outputs != 3 || e.Size != 5005 || e.Blocks != 3+1+1+2 || e.Cost != time.Minute || e.ExitCode != 3 ||
			e.Leased || time.Since(e.Created) > time.Minute || time.Since(e.LastUse) > time.Minute {
			t.Errorf("entry: %+v", e)
		}
		if h := m[keyOf("held")]; h.Leased != (held != nil) || h.Size != 1 || len(m) != 2 {
			t.Errorf("held entry: %+v of %d", h, len(m))
		}
		if held != nil {
			held.Release()
			held = nil
			k.reopen(nil)
		}
	}
}

// TestListIsLive deletes, puts and gets inside the loop: what was there all the time is seen exactly once.
func TestListIsLive(t *testing.T) {
	k := newKitchen(t, nil)
	const n = 3000 // several pages of the index, and some that it does not have yet
	for i := range n {
		k.put(fmt.Sprint(i), "v")
	}
	index := map[cache.Key]int{}
	for i := range n {
		index[keyOf(fmt.Sprint(i))] = i
	}
	seen := map[int]bool{}
	step := 0
	for e, err := range k.All(t.Context()) {
		k.must(err)
		i, old := index[e.Key]
		if !old {
			continue // put meanwhile
		}
		if seen[i] {
			t.Fatalf("%d is seen twice", i)
		}
		seen[i] = true
		if i%3 == 0 {
			k.must(k.Delete(t.Context(), e.Key))
		} else {
			k.get(fmt.Sprint(i)).Release()
		}
		if step++; step%2 == 0 {
			k.put(fmt.Sprint("new", step), "v")
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d seen", len(seen), n)
	}
	left := k.list()
	for i := range n {
		if _, there := left[keyOf(fmt.Sprint(i))]; there != (i%3 != 0) {
			t.Fatalf("entry %d is there: %v", i, there)
		}
	}
	if int64(len(left)) != k.Stats().Entries {
		t.Errorf("%d listed, %d counted", len(left), k.Stats().Entries)
	}
}

// TestListEnds stops early, by the body and by the context, and after Close.
func TestListEnds(t *testing.T) {
	k := newKitchen(t, nil)
	for i := range 2000 {
		k.put(fmt.Sprint(i), "v")
	}
	k.reopen(nil)
	n := 0
	for range k.All(t.Context()) {
		if n++; n == 10 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	m := 0
	for _, err := range k.All(ctx) {
		cancel()
		m++
		last = err
	}
	if !errors.Is(last, context.Canceled) || m > 1000 {
		t.Errorf("cancelled: %d entries, then %v", m, last)
	}
	k.must(k.Close(t.Context()))
	for _, err := range k.All(t.Context()) {
		last = err
	}
	if !errors.Is(last, cache.ErrClosed) {
		t.Errorf("closed: %v", last)
	}
}
