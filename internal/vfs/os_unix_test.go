//go:build unix

package vfs_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestUnopened tells a folder that cannot be opened to be synced from one that is lost, and from a failed sync.
func TestUnopened(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := vfs.OS{}.OpenFile(name, syscall.O_CREAT|syscall.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for what, c := range map[string]struct {
		err      error
		unopened bool
	}{
		"no folder": {vfs.OS{}.SyncDir(name), true},
		"lost":      {vfs.OS{}.SyncDir(name + "s"), false},
		"closed":    {f.Sync(), false},
		"none":      {nil, false},
	} {
		if vfs.IsUnopened(c.err) != c.unopened {
			t.Errorf("%s: %v: unopened is %v", what, c.err, !c.unopened)
		}
	}
}
