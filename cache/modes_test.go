package cache_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// needsModes skips a test of permission bits and hard links where the system does not keep them.
func needsModes(t *testing.T) {
	t.Helper()
	for _, mode := range []os.FileMode{0o444, 0o755} {
		name := filepath.Join(t.TempDir(), "probe")
		if err := os.WriteFile(name, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Now(), time.Now()); err != nil {
			t.Skipf("needs to set times of a read-only file: %v", err)
		}
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != mode {
			t.Skipf("needs permission bits: a file made with %v has %v, %v", mode, fi.Mode(), err)
		}
	}
}
