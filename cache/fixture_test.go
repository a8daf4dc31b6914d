package cache_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache"
)

// kitchen is a store with its root, and verbs that fail the test.
type kitchen struct {
	*cache.Store
	t    testing.TB
	root string
}

func newKitchen(t testing.TB, o *cache.Options) *kitchen {
	t.Helper()
	k := &kitchen{t: t, root: filepath.Join(t.TempDir(), "root")}
	k.open(o)
	t.Cleanup(func() { k.Close(t.Context()) })
	return k
}

func (k *kitchen) open(o *cache.Options) {
	k.t.Helper()
	s, err := cache.Open(k.t.Context(), k.root, o)
	if err != nil {
		k.t.Fatal(err)
	}
	k.Store = s
}

func (k *kitchen) reopen(o *cache.Options) {
	k.t.Helper()
	if err := k.Close(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	k.open(o)
}

func keyOf(name string) cache.Key { return cache.NewKey("kitchen").Strings(name).Sum() }

// put stores one output, "out", under a key.
func (k *kitchen) put(name, text string) {
	k.t.Helper()
	d := k.NewDraft()
	k.must(d.Add("out", 0o644, strings.NewReader(text)))
	k.must(k.Put(k.t.Context(), keyOf(name), d))
}

func (k *kitchen) get(name string) *cache.Artifact {
	k.t.Helper()
	a, err := k.Get(k.t.Context(), keyOf(name))
	if err != nil {
		k.t.Fatalf("get %s: %v", name, err)
	}
	k.t.Cleanup(a.Release)
	return a
}

// want demands that the output of a key is text.
func (k *kitchen) want(name, text string) {
	k.t.Helper()
	a := k.get(name)
	defer a.Release()
	if b, err := a.Bytes("out"); err != nil || string(b) != text {
		k.t.Errorf("%s holds %.40q, %v, want %.40q", name, b, err, text)
	}
}

func (k *kitchen) miss(name string) {
	k.t.Helper()
	if a, err := k.Get(k.t.Context(), keyOf(name)); !errors.Is(err, cache.ErrNotFound) {
		k.t.Errorf("get %s: %v, %v, want a miss", name, a, err)
	}
}

func (k *kitchen) path(a *cache.Artifact, name string) string {
	k.t.Helper()
	p, err := a.Path(name)
	k.must(err)
	return p
}

func (k *kitchen) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// files lists what stands below a folder of the root, by name.
func (k *kitchen) files(folder string) (list []string) {
	k.t.Helper()
	k.must(filepath.WalkDir(filepath.Join(k.root, folder), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			list = append(list, e.Name())
		}
		return err
	}))
	return list
}

// wantFiles demands n payload files and no temporary one.
func (k *kitchen) wantFiles(n int) {
	k.t.Helper()
	if got := k.files("blobs"); len(got) != n {
		k.t.Errorf("%d payload files, want %d: %.200q", len(got), n, got)
	}
	if got := k.files("tmp"); len(got) != 0 {
		k.t.Errorf("temporary files stay: %q", got)
	}
}

// spoil changes one byte of a file in place and leaves its size, mtime, mode and inode as they were.
func spoil(t testing.TB, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.Chmod(path, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte{b[len(b)/2] ^ 1}, int64(len(b)/2))
	err = errors.Join(err, f.Close(), os.Chtimes(path, fi.ModTime(), fi.ModTime()), os.Chmod(path, fi.Mode()))
	if err != nil {
		t.Fatal(err)
	}
}
