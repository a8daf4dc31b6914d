package vfs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestMappedOnceItPays maps a file when there was a read for each 16 KiB of it, and 16 at least.
func TestMappedOnceItPays(t *testing.T) {
	for size, reads := range map[int64]int{0: 16, 300 << 10: 32, 1 << 20: 64, 3 << 20: 256} {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, make([]byte, size), 0o666); err != nil {
			t.Fatal(err)
		}
		plain, err := vfs.OS{}.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := vfs.Mapped(plain, 4<<20)
		for n := 1; n <= reads+1; n++ {
			f.ReadAt(make([]byte, 10), 0)
			maps, err := os.ReadFile("/proc/self/maps")
			if mapped := strings.Contains(string(maps), name); err != nil || mapped != (n > reads) {
				t.Fatalf("%d bytes, read %d: mapped %v, %v", size, n, mapped, err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
