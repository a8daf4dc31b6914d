package vfs_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// TestMapped reads a mapped file and a plain one, while the file grows and when it was cut below what is mapped: they give the
// same bytes and errors, as long as the file ends where a page does.
func TestMapped(t *testing.T) {
	rng := testkit.Rand(t)
	const mapped, page = 1 << 20, 1 << 14 // of any system
	name := filepath.Join(t.TempDir(), "file")
	open := func(flag int) vfs.File {
		f, err := vfs.OS{}.OpenFile(name, flag, 0o666)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	plain := open(os.O_RDWR | os.O_CREATE)
	defer plain.Close()
	f := vfs.Mapped(open(os.O_RDWR), mapped)
	size := int64(0)
	compare := func() {
		t.Helper()
		for range 200 {
			a, b := make([]byte, rng.IntN(6*page)), make([]byte, 6*page)
			off := rng.Int64N(size + page)
			n, err := f.ReadAt(a, off)
			m, merr := plain.ReadAt(b[:len(a)], off)
			if n != m || err != merr || !bytes.Equal(a[:n], b[:m]) {
				t.Fatalf("%d bytes at %d of %d: %d, %v; want %d, %v", len(a), off, size, n, err, m, merr)
			}
		}
	}
	compare()
	for size < mapped+10*page {
		b := make([]byte, page*(1+rng.IntN(8)))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if _, err := f.WriteAt(b, size); err != nil {
			t.Fatal(err)
		}
		size += int64(len(b))
		compare()
	}
	for _, size = range []int64{mapped, mapped - page, 5 * page, 0} {
		if err := plain.Truncate(size); err != nil {
			t.Fatal(err)
		}
		compare()
	}
	if n, err := f.ReadAt(make([]byte, 1), -1); n != 0 || err == nil || err == io.EOF {
		t.Errorf("before the file: %d, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := f.Close(); err == nil {
		t.Error("closed twice")
	}
	other, err := vfs.NewMem("/d").OpenFile("/d/file", os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if vfs.Mapped(other, mapped) != other {
		t.Error("a file of another file system is not what it was")
	}
}
