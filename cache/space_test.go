package cache

import (
	"math"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestNoRoomForTheLargestFile: a sparse file may have any size, and what was written a moment ago comes on top of it.
func TestNoRoomForTheLargestFile(t *testing.T) {
	g := spaceGuard{fs: vfs.NewMem("/d"), dir: "/d", reserve: 1}
	if g.low(1000) {
		t.Error("there is no room for 1000 bytes")
	}
	for range 2 {
		if !g.low(math.MaxInt64) {
			t.Error("there is room for the largest file that can be")
		}
	}
	if g.low(1000) {
		t.Error("there is no room for 1000 bytes any more")
	}
}
