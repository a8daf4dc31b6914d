package cachetest_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
	"github.com/larderbuild/larder/cache/cachetest"
)

// bare is a store with no abilities but the least.
type bare struct{ m *cachetest.Memory }

type bareLease struct{ l cachetest.Leased }

func (b bare) Put(ctx context.Context, key cache.Key, a cachetest.Artifact) error {
	return b.m.Put(ctx, key, a)
}

func (b bare) Get(ctx context.Context, key cache.Key) (cachetest.Leased, error) {
	l, err := b.m.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return bareLease{l}, nil
}

func (b bare) Delete(ctx context.Context, key cache.Key) error     { return b.m.Delete(ctx, key) }
func (b bare) All(ctx context.Context) iter.Seq2[cache.Key, error] { return b.m.All(ctx) }
func (b bare) Close(ctx context.Context) error                     { return b.m.Close(ctx) }
func (l bareLease) Read() (cachetest.Artifact, error)              { return l.l.Read() }
func (l bareLease) Release()                                       { l.l.Release() }

type panicking struct{ bare }

func (panicking) Delete(context.Context, cache.Key) error { panic("broken") }

func openPanicking(testing.TB) cachetest.Store { return panicking{bare{cachetest.NewMemory()}} }

func everyRule(string) bool { return true }

func openBare(testing.TB) cachetest.Store { return bare{cachetest.NewMemory()} }

// TestAbsentAbilities demands that a store of the least kind passes, and that each rule it
// cannot run is skipped under the name of what it lacks.
func TestAbsentAbilities(t *testing.T) {
	got := cachetest.Observe(t, openBare, nil, everyRule)
	for rule, message := range got.Failed {
		t.Errorf("rule %q fails: %s", rule, message)
	}
	for _, c := range []struct {
		ability string
		rules   []string
	}{
		{"cachetest.Streamer", inGroup("stream/", "close/put streams")},
		{"cachetest.Builder", inGroup("build/", "close/build")},
		{"cachetest.Deliverer", without(inGroup("deliver/"), "deliver/after delete")},
		{"cachetest.Reopener", inGroup("reopen/")},
		{"cachetest.Holder", inGroup("lease/", "close/held", "close/waits for leases", "replace/leased",
			"delete/leased", "delete/leased, then put", "shared/leased", "deliver/after delete")},
	} {
		for _, rule := range c.rules {
			message, skipped := got.Skipped[rule]
			if !skipped || !strings.Contains(message, c.ability) {
				t.Errorf("rule %q: skipped %v with %q; want %s named", rule, skipped, message, c.ability)
			}
			delete(got.Skipped, rule)
		}
	}
	for rule, message := range got.Skipped {
		t.Errorf("rule %q is skipped too: %s", rule, message)
	}
}

func inGroup(prefix string, more ...string) []string {
	for _, rule := range cachetest.RuleNames() {
		if strings.HasPrefix(rule, prefix) {
			more = append(more, rule)
		}
	}
	return more
}

func without(list []string, rule string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == rule })
}

// TestPanicIsSeen holds the observer of these tests to what package testing does: a panic fails
// the rule.
func TestPanicIsSeen(t *testing.T) {
	only := func(rule string) bool { return rule == "delete/absent" }
	got := cachetest.Observe(t, openPanicking, nil, only)
	if message := got.Failed["delete/absent"]; !strings.Contains(message, "broken") {
		t.Errorf("failures: %v; want the panic", slices.Collect(maps.Values(got.Failed)))
	}
}

// TestRuleNamesAreUnique keeps -run and tables of rules meaningful.
func TestRuleNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, rule := range cachetest.RuleNames() {
		if seen[rule] {
			t.Errorf("two rules are called %q", rule)
		}
		seen[rule] = true
	}
	if len(seen) == 0 {
		t.Error("there are no rules")
	}
}
