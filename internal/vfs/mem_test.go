package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

func TestMemSize(t *testing.T) {
	m := vfs.NewMem("d")
	m.SetSize(100)
	f := open(t, m, "d/a", os.O_RDWR|os.O_CREATE)
	defer f.Close()
	for _, tc := range []struct {
		name string
		run  func() (int, error)
		n    int
		full bool
		free int64
	}{
		{"write", func() (int, error) { return f.Write(make([]byte, 60)) }, 60, false, 40},
		{"overwrite", func() (int, error) { return f.WriteAt(make([]byte, 60), 0) }, 60, false, 40},
		{"write beyond", func() (int, error) { return f.WriteAt(make([]byte, 60), 60) }, 40, true, 0},
		{"when full", func() (int, error) { return f.WriteAt(make([]byte, 1), 100) }, 0, true, 0},
		{"overwrite when full", func() (int, error) { return f.WriteAt([]byte("x"), 99) }, 1, false, 0},
		{"hole when full", func() (int, error) { return f.WriteAt([]byte("x"), 300) }, 0, true, 0},
		{"grow when full", func() (int, error) { return 0, f.Truncate(101) }, 0, true, 0},
		{"shrink", func() (int, error) { return 0, f.Truncate(30) }, 0, false, 70},
		{"unlink while open", func() (int, error) { return 0, m.Remove("d/a") }, 0, false, 70},
		{"write unlinked", func() (int, error) { return f.WriteAt(make([]byte, 10), 30) }, 10, false, 60},
		{"close", func() (int, error) { return 0, f.Close() }, 0, false, 100},
	} {
		n, err := tc.run()
		if n != tc.n || vfs.IsNoSpace(err) != tc.full || err != nil != tc.full {
			t.Errorf("%s: %d, %v", tc.name, n, err)
		}
		if free, err := m.Free("d"); free != tc.free || err != nil {
			t.Errorf("%s: %d bytes free, %v, want %d", tc.name, free, err, tc.free)
		}
	}
}

func TestMemSizeOfNames(t *testing.T) {
	m := vfs.NewMem("d")
	m.SetSize(100)
	free := func(how string, m *vfs.Mem, want int64) {
		t.Helper()
		if got, err := m.Free("/"); got != want || err != nil {
			t.Errorf("%s: %d bytes free, %v, want %d", how, got, err, want)
		}
	}
	writeSync(t, m, "d/a", strings.Repeat("x", 30))
	writeSync(t, m, "d/b", strings.Repeat("x", 20))
	free("two files", m, 50)
	must(t, m.Rename("d/a", "d/b"))
	free("one replaced", m, 70)
	write(t, m, "d/b", "x")
	free("truncated", m, 99)
	free("killed", m.Kill(), 99)
	free("names lost", m.Crash(vfs.Loss{}), 100)
	must(t, m.Remove("d/b"))
	free("removed", m, 100)
	m.SetSize(-1)
	if n, err := m.Free("d"); n < 1<<30 || err != nil {
		t.Errorf("without a limit: %d bytes free, %v", n, err)
	}
	if _, err := m.Free("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("free space of a missing folder: %v", err)
	}
}

func TestMemNames(t *testing.T) {
	m := vfs.NewMem("/a/b")
	write(t, m, filepath.Join("a", "b", "c"), "x")
	for _, name := range []string{"/a/b/c", "a/b/c", "./a//b/./c", "a/x/../b/c", "../a/b/c"} {
		if got := read(t, m, name); got != "x" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := m.Lstat(""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty name: %v", err)
	}
	if fi, err := m.Lstat("/"); err != nil || !fi.IsDir() || fi.Name() != "/" {
		t.Errorf("root: %v, %v", fi, err)
	}
	for name, err := range map[string]error{
		"remove": m.Remove("/"),
		"mkdir":  m.Mkdir("/", 0o755),
		"move":   m.Rename("/", "a/root"),
		"over":   m.Rename("a", "/"),
	} {
		if err == nil {
			t.Errorf("%s of the root succeeds", name)
		}
	}
	if _, err := m.OpenFile("a/log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err == nil {
		t.Error("O_APPEND is not refused")
	}
}

// One inode keeps its number across renames and crashes; two names of it are two links.
func TestMemIdentity(t *testing.T) {
	m := vfs.NewMem("d", "e")
	writeSync(t, m, "d/a", "x")
	must(t, m.SyncDir("d"))
	id := func(m *vfs.Mem, name string) vfs.ID {
		fi, err := m.Lstat(name)
		must(t, err)
		return vfs.IDOf(fi)
	}
	a := id(m, "d/a")
	if a.Inode == 0 || a.Links != 1 {
		t.Errorf("%+v", a)
	}
	must(t, errors.Join(m.Rename("d/a", "e/a"), m.SyncDir("e")))
	if got := id(m, "e/a"); got != a {
		t.Errorf("after a rename %+v, before it %+v", got, a)
	}
	disk := m.Crash(vfs.Loss{})
	a.Links = 2
	if d, e := id(disk, "d/a"), id(disk, "e/a"); d != a || e != a {
		t.Errorf("both names of a lost removal: %+v and %+v", d, e)
	}
	if must(t, disk.Rename("d/a", "e/a")); read(t, disk, "d/a") != "x" {
		t.Error("a rename onto another name of the same file must leave both")
	}
	write(t, disk, "d/new", "")
	for _, name := range []string{"/", "d", "e", "d/a"} {
		if id(disk, "d/new").Inode == id(disk, name).Inode {
			t.Errorf("%s and a new file have one inode number", name)
		}
	}
}

func TestMemUnlinkedStaysReadable(t *testing.T) {
	m := vfs.NewMem()
	write(t, m, "a", "first")
	f := open(t, m, "a", os.O_RDONLY)
	defer f.Close()
	write(t, m, "b", "second")
	must(t, m.Rename("b", "a"))
	p := make([]byte, 5)
	if n, err := f.ReadAt(p, 0); string(p[:n]) != "first" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
	if got := read(t, m, "a"); got != "second" {
		t.Errorf("a holds %q", got)
	}
}

func TestMemModeAndTimeAreDurableWithSync(t *testing.T) {
	m := vfs.NewMem("d")
	writeSync(t, m, "d/a", "x")
	must(t, m.SyncDir("d"))
	for name, sync := range map[string]func(f vfs.File) error{
		"d/a": vfs.File.Sync,
		"d":   func(vfs.File) error { return m.SyncDir("d") },
	} {
		f := open(t, m, name, os.O_RDONLY)
		defer f.Close()
		before, err := m.Lstat(name)
		must(t, err)
		must(t, f.Chmod(0o444))
		mode := func(m *vfs.Mem) fs.FileMode {
			fi, err := m.Lstat(name)
			must(t, err)
			if !fi.ModTime().Equal(before.ModTime()) {
				t.Errorf("%s: modified %v, want %v", name, fi.ModTime(), before.ModTime())
			}
			return fi.Mode().Perm()
		}
		lost, kept, late := mode(m.Crash(vfs.Loss{})), mode(m.Kill()), mode(m.Kill().Crash(vfs.Loss{}))
		if lost == 0o444 || kept != 0o444 || late != lost {
			t.Errorf("%s before the sync: lost %v, killed %v, then lost %v", name, lost, kept, late)
		}
		must(t, sync(f))
		if got := mode(m.Crash(vfs.Loss{})); got != 0o444 {
			t.Errorf("%s after the sync: %v", name, got)
		}
	}
}

func TestMemString(t *testing.T) {
	m := vfs.NewMem("d")
	write(t, m, "d/a", "x")
	got := m.String()
	for _, want := range []string{
		"/ d", "/d d", "unsynced", "/d/a -rw-r--r-- ", "links 1 size 1 sha256 2d711642",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// Clones and changes at the same time are for the race detector.
func TestMemConcurrent(t *testing.T) {
	m := vfs.NewMem("d")
	var wg sync.WaitGroup
	for _, name := range []string{"d/a", "d/b"} {
		wg.Go(func() {
			for range 100 {
				writeSync(t, m, name, "x")
				must(t, m.SyncDir("d"))
			}
		})
		wg.Go(func() {
			for i := range 100 {
				disk := m.Crash(vfs.Torn(uint64(i)))
				write(t, disk, "d/a", "y")
				write(t, m.Kill(), "d/b", "z")
			}
		})
	}
	wg.Wait()
	if got := read(t, m, "d/a") + read(t, m, "d/b"); got != "xx" {
		t.Errorf("%q", got)
	}
}
