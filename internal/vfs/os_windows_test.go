package vfs_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/larderbuild/larder/internal/vfs"
)

// TestOpenHeldFile opens a file that somebody holds for a moment without sharing it.
func TestOpenHeldFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "held")
	if err := os.WriteFile(name, []byte("held"), 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := windows.CreateFile(p, windows.GENERIC_READ, 0, nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(name); err == nil {
		f.Close()
		t.Skip("this system shares what is not to be shared")
	}
	released := make(chan error, 1)
	time.AfterFunc(10*time.Millisecond, func() { released <- windows.CloseHandle(h) })
	f, err := vfs.OS{}.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := <-released; err != nil {
		t.Error(err)
	}
}
