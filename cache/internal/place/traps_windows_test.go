package place_test

import (
	"errors"
	"testing"

	"github.com/larderbuild/larder/cache/internal/place"
)

// TestTargetsWithBackslashes shows that a target with the system's own separator does not lead out either.
func TestTargetsWithBackslashes(t *testing.T) {
	for _, target := range []string{`\Windows`, `x\..\y`, `\`, `..\..\..\y`} {
		d := new(place.Placer).Deliver(openRoot(t, t.TempDir()), place.Auto)
		err := d.Symlink("p/q/l", target)
		if _, refused := errors.AsType[*place.TargetError](err); !refused {
			t.Errorf("%q: %v, want a TargetError", target, err)
		}
		d.Discard()
	}
}
