package gobuild_test

import (
	"testing"

	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/gobuild"
)

func TestNamesAreUnique(t *testing.T) {
	for _, quick := range []bool{false, true} {
		seen := make(map[string]bool)
		for _, c := range gobuild.Suite().Cases(&frame.Env{Quick: quick}) {
			for _, spec := range c.Specs {
				if seen[spec.Name] {
					t.Errorf("quick %v: two rows are named %q", quick, spec.Name)
				}
				seen[spec.Name] = true
			}
		}
		if len(seen) != 16 {
			t.Errorf("quick %v: %d rows, want 16", quick, len(seen))
		}
	}
}
