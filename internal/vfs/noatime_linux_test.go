package vfs_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

func TestNoAtime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, []byte("x"), 0o644))
	long := time.Now().Add(-time.Hour)
	readAt := func(flag int) time.Time {
		must(t, os.Chtimes(name, long, time.Time{}))
		f, err := vfs.OS{}.OpenFile(name, os.O_RDONLY|flag, 0)
		must(t, err)
		_, err = io.ReadAll(f)
		must(t, errors.Join(err, f.Close()))
		fi, err := os.Stat(name)
		must(t, err)
		return time.Unix(fi.Sys().(*syscall.Stat_t).Atim.Unix())
	}
	if readAt(0).Equal(long) {
		t.Skip("this file system keeps no access times")
	}
	if at := readAt(vfs.NoAtime); !at.Equal(long) {
		t.Errorf("read at %v, was read at %v before", at, long)
	}
}

// TestNoAtimeOfOthers opens a file that only its owner may leave the access time of.
func TestNoAtimeOfOthers(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	must(t, os.WriteFile(name, []byte("x"), 0o644))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		done <- openAsOther(name)
	}()
	if err := <-done; errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this user cannot be another one")
	} else if err != nil {
		t.Error(err)
	}
}

func openAsOther(name string) error {
	if err := syscall.Setfsuid(65534); err != nil {
		return errors.ErrUnsupported
	}
	if f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOATIME, 0); err == nil {
		f.Close()
		return errors.ErrUnsupported
	}
	f, err := vfs.OS{}.OpenFile(name, os.O_RDONLY|vfs.NoAtime, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
