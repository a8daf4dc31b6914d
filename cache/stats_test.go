package cache_test

import (
	"context"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// TestStats compares the counters after each verb.
func TestStats(t *testing.T) {
	big := strings.Repeat("content ", 1000)
	k := newKitchen(t, nil)
	var want cache.Stats
	var held *cache.Artifact
	steps := []struct {
		name string
		do   func()
		want func(*cache.Stats)
	}{
		{"nothing", func() {}, func(*cache.Stats) {}},
		{"a miss", func() { k.miss("a") }, func(s *cache.Stats) { s.Misses++ }},
		{"a put", func() { k.put("a", big) }, func(s *cache.Stats) { s.Puts++; s.Entries++; s.Payloads++; s.PayloadBytes += 8000 }},
		{"a put of the same", func() { k.put("b", big) }, func(s *cache.Stats) { s.Puts++; s.Entries++; s.SharedBytes += 8000 }},
		{"an inline put", func() { k.put("c", "x") }, func(s *cache.Stats) { s.Puts++; s.Entries++ }},
		{"a replacement", func() { k.put("b", "x") }, func(s *cache.Stats) { s.Puts++; s.SharedBytes -= 8000 }},
		{"a hit", func() { held = k.get("a") }, func(s *cache.Stats) { s.Hits++; s.Leases++ }},
		{"a delete while held", func() { k.must(k.Delete(t.Context(), keyOf("a"))) },
			func(s *cache.Stats) { s.Deletes++; s.Entries--; s.Payloads--; s.PayloadBytes -= 8000 }},
		{"a delete of nothing", func() { k.Delete(t.Context(), keyOf("a")) }, func(*cache.Stats) {}},
		{"a release", func() { held.Release(); held.Release() }, func(s *cache.Stats) { s.Leases-- }},
		{"a failed put", func() { k.Put(t.Context(), keyOf("x"), failedDraft(k)) }, func(*cache.Stats) {}},
		{"a build", func() {
			a, err := k.Do(t.Context(), keyOf("d"), func(_ context.Context, d *cache.Draft) error { return nil })
			k.must(err)
			a.Release()
		}, func(s *cache.Stats) { s.Misses++; s.Puts++; s.Entries++ }},
		{"a reopening", func() { k.reopen(nil) },
			func(s *cache.Stats) { s.Hits, s.Misses, s.Puts, s.Deletes = 0, 0, 0, 0 }},
	}
	for _, step := range steps {
		step.do()
		step.want(&want)
		got := k.Stats()
		if got.LiveBytes > got.LogBytes || got.Entries > 0 && got.LiveBytes == 0 {
			t.Errorf("after %s: %d bytes of %d are live", step.name, got.LiveBytes, got.LogBytes)
		}
		got.LogBytes, got.LiveBytes = 0, 0
		if got != want {
			t.Errorf("after %s:\n got %+v\nwant %+v", step.name, got, want)
		}
	}
	k.must(k.Close(t.Context()))
	if st := k.Stats(); st.Entries != want.Entries {
		t.Errorf("after close: %+v", st)
	}
}

func failedDraft(k *kitchen) *cache.Draft {
	d := k.NewDraft()
	d.Add("", 0o644, strings.NewReader("x"))
	return d
}
