package index_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

// mount puts a file system of its own, of size bytes, at a new folder. Without the right to do so the test is skipped.
func mount(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		t.Skipf("no right to mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestReadOnlyFileSystem(t *testing.T) {
	root := mount(t, 64<<20)
	dir := filepath.Join(root, "index")
	closedIndex(t, dir)
	readonly := func(flags uintptr) {
		must(t, syscall.Mount("none", root, "tmpfs", syscall.MS_REMOUNT|flags, ""))
	}
	readonly(syscall.MS_RDONLY)
	checkReadOnly(t, openReadOnly(t, dir))
	if _, err := index.OpenBadger(index.Options{Dir: dir}); err == nil {
		t.Error("opened for writing")
	}
	readonly(0)
	must(t, os.WriteFile(filepath.Join(dir, "00001.mem"), make([]byte, 100), 0o666))
	readonly(syscall.MS_RDONLY)
	if x, err := index.OpenBadger(index.Options{Dir: dir, ReadOnly: true}); err == nil {
		t.Error("opened with left-overs that cannot be taken away", x.Close())
	}
	readonly(0)
	checkReadOnly(t, openReadOnly(t, dir))
}
