//go:build unix

package lifecycle_test

import (
	"os"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestClaimFileStays claims and lets go: the file is one and the same for ever, and only this
// user's.
func TestClaimFileStays(t *testing.T) {
	ep, _ := newEndpoint(t)
	var first os.FileInfo
	for range 3 {
		h := claim(t, ep)
		if _, err := h.Listen(); err != nil {
			t.Fatal(err)
		}
		h.Close()
		info, err := os.Stat(ep.Beside(lifecycle.ClaimSuffix))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = info
		}
		if !os.SameFile(first, info) || info.Mode().Perm() != 0o600 {
			t.Errorf("the claim's file is another one, or of mode %v", info.Mode())
		}
	}
}
