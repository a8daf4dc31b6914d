package store_test

import (
	"os"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/store"
)

func TestMain(m *testing.M) {
	if code, isChild := child.Main(os.Args, store.Jobs()); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestNamesAreUnique(t *testing.T) {
	for _, env := range []*frame.Env{{}, {Quick: true}, {Entries: 10_000_000}, {Entries: 10_000}} {
		seen := make(map[string]bool)
		for _, c := range store.Suite().Cases(env) {
			for _, spec := range c.Specs {
				if seen[spec.Name] {
					t.Errorf("%+v: two rows are named %q", env, spec.Name)
				}
				seen[spec.Name] = true
				if spec.Unit == "" {
					t.Errorf("row %q has no unit", spec.Name)
				}
			}
		}
		if len(seen) < 50 {
			t.Errorf("%+v: %d rows", env, len(seen))
		}
	}
}

func TestNamesSayTheSizeMeasured(t *testing.T) {
	env := &frame.Env{Quick: true, Entries: 12_345}
	found := 0
	for _, c := range store.Suite().Cases(env) {
		for _, spec := range c.Specs {
			if strings.Contains(spec.Name, "12345 entries") {
				found++
			}
		}
	}
	if found < 9 {
		t.Errorf("%d rows name the size that was asked for", found)
	}
}
