package gocacheprog_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// On a full disk the build goes on with bodies in the system's temporary folder.
func TestFullDisk(t *testing.T) {
	for _, c := range []struct {
		name string
		fill int64 // bytes of 16 MiB that are taken before the build
	}{
		{"at the start", 16 << 20},
		{"below the reserve", 0},
		{"nothing but the session fits", 15 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGo(t, plain)
			dir := filepath.Join(t.TempDir(), "disk")
			mount(t, dir, "16m")
			fill(t, filepath.Join(dir, "ballast"), c.fill)
			g.prog.Dir = filepath.Join(dir, "gocache-larder")
			for range 2 {
				g.run("build", "./use", "./lib")
				if r := g.lastReport(); r.Refused > 0 || r.Kept == 0 {
					t.Errorf("counted %+v", r)
				}
			}
		})
	}
}

func fill(t *testing.T, name string, size int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range size >> 16 {
		if _, err := f.Write(make([]byte, 1<<16)); err != nil {
			return // full
		}
	}
}

// A large body that meets the full disk half-way is kept whole.
func TestDiskFillsUpWithinABody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	mount(t, dir, "12m")
	temp := t.TempDir()
	setTemp(t, temp)
	c := begin(t, openStore(t, filepath.Join(dir, "root"), 1<<20), gocacheprog.Options{Sessions: filepath.Join(dir, "sessions")})
	for i, size := range []int{1000, 3 << 20, 9 << 20, 100} {
		r := c.put(action(i), content(size))
		c.wantKept(r, content(size))
		if size == 9<<20 && !strings.HasPrefix(r.DiskPath, temp) {
			t.Errorf("%d bytes are kept at %s", size, r.DiskPath)
		}
		c.wantKept(c.get(action(i)), content(size))
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// mount makes dir a file system of its own.
func mount(t *testing.T, dir, size string) {
	t.Helper()
	makeFile(t, dir, "placeholder")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("no file system can be mounted: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
}
