package cache_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/larderbuild/larder/cache"
)

// TestSizedContent compares what a reader yields with what was declared.
func TestSizedContent(t *testing.T) {
	cases := []struct {
		have, declared int
		is             error
	}{
		{0, 0, nil}, {10, 10, nil}, {5000, 5000, nil},
		{0, 1, cache.ErrShortContent}, {9, 10, cache.ErrShortContent}, {4999, 5000, cache.ErrShortContent},
		{1, 0, cache.ErrTooLarge}, {11, 10, cache.ErrTooLarge}, {5001, 5000, cache.ErrTooLarge}, {1 << 20, 5000, cache.ErrTooLarge},
		{10, -1, cache.ErrTooLarge},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.have, " of ", c.declared), func(t *testing.T) {
			k := newKitchen(t, nil)
			d := k.NewDraft()
			err := d.AddSized("out", 0o644, int64(c.declared), strings.NewReader(strings.Repeat("x", c.have)))
			perr := k.Put(t.Context(), keyOf("k"), d)
			if !errors.Is(err, c.is) || !errors.Is(perr, c.is) || c.is == nil && err != nil {
				t.Errorf("add: %v, put: %v, want %v", err, perr, c.is)
			}
			if c.is == nil {
				k.want("k", strings.Repeat("x", c.have))
				return
			}
			k.miss("k")
			k.wantFiles(0)
		})
	}
}

var errReader = errors.New("reader is broken")

// wild returns counts that no reader may.
type wild int

func (w wild) Read(p []byte) (int, error) { return int(w) * (len(p) + 1), nil }

// idle never gets on.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// TestBrokenReaders fails the put, and only that one, and collects what had been written.
func TestBrokenReaders(t *testing.T) {
	text := strings.Repeat("x", 3<<20)
	readers := map[string]struct {
		r  io.Reader
		is error
	}{
		"error at once":         {iotest.ErrReader(errReader), errReader},
		"error within inline":   {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(errReader)), errReader},
		"error after 5000":      {io.MultiReader(strings.NewReader(text[:5000]), iotest.ErrReader(errReader)), errReader},
		"error after megabytes": {io.MultiReader(strings.NewReader(text), iotest.ErrReader(errReader)), errReader},
		"unexpected end":        {iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(text[:5000]))), iotest.ErrTimeout},
		"never gets on":         {idle{}, io.ErrNoProgress},
		"count too high":        {wild(1), nil},
		"count below zero":      {wild(-1), nil},
	}
	for name, c := range readers {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			k.put("other", text[:2000])
			k.put("k", "old")
			d := k.NewDraft()
			k.must(d.Add("first", 0o644, strings.NewReader(text[:7000])))
			err := d.Add("second", 0o644, c.r)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), `"second"`) {
				t.Errorf("add: %v", err)
			}
			if again := d.Add("third", 0o644, strings.NewReader("x")); !errors.Is(again, err) {
				t.Errorf("add to a draft that failed: %v", again)
			}
			if perr := k.Put(t.Context(), keyOf("k"), d); !errors.Is(perr, err) {
				t.Errorf("put: %v, not %v", perr, err)
			}
			k.want("k", "old")
			k.want("other", text[:2000])
			k.wantFiles(1)
		})
	}
}

// hostFile writes a file of the host's.
func hostFile(t testing.TB, text string, mode fs.FileMode) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(name, []byte(text), 0o644), os.Chmod(name, mode)); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestHostFiles adds and takes files of both forms: bytes and executable bit are kept, and only a taken file is gone.
func TestHostFiles(t *testing.T) {
	take := map[string]func(d *cache.Draft, path string) error{
		"add":  func(d *cache.Draft, path string) error { return d.AddFile("out", path) },
		"take": func(d *cache.Draft, path string) error { return d.TakeFile("out", path) },
	}
	for verb, fill := range take {
		for _, size := range []int{0, 100, 5000, 2 << 20} {
			t.Run(fmt.Sprint(verb, " ", size), func(t *testing.T) {
				k := newKitchen(t, nil)
				text := strings.Repeat("y", size)
				path := hostFile(t, text, 0o755)
				d := k.NewDraft()
				k.must(fill(d, path))
				k.must(k.Put(t.Context(), keyOf("k"), d))
				k.want("k", text)
				o, err := k.get("k").Output("out")
				if err != nil || runtime.GOOS != "windows" && o.Mode != 0o755 {
					t.Errorf("output: %+v, %v", o, err)
				}
				b, err := os.ReadFile(path)
				if gone := errors.Is(err, fs.ErrNotExist); gone != (verb == "take") || !gone && string(b) != text {
					t.Errorf("the host's file: %d bytes, %v", len(b), err)
				}
				k.must(errors.Join(k.tidy("k"), k.Sync(t.Context())))
			})
		}
	}
}

// tidy demands that no file stays when a key is deleted.
func (k *kitchen) tidy(name string) error {
	k.t.Helper()
	if err := k.Delete(k.t.Context(), keyOf(name)); err != nil {
		return err
	}
	if got := k.files("tmp"); len(got) != 0 {
		return fmt.Errorf("temporary files stay: %q", got)
	}
	return nil
}

// TestHostFilesRefused leaves what it refuses where it was.
func TestHostFilesRefused(t *testing.T) {
	linked := func(t *testing.T) string {
		path := hostFile(t, strings.Repeat("z", 5000), 0o644)
		if err := os.Link(path, path+".other"); err != nil {
			t.Skip(err)
		}
		return path
	}
	add := func(d *cache.Draft, path string) error { return d.AddFile("out", path) }
	take := func(d *cache.Draft, path string) error { return d.TakeFile("out", path) }
	cases := map[string]struct {
		fill func(*cache.Draft, string) error
		path func(t *testing.T) string
		is   error
	}{
		"take two links":   {take, linked, nil},
		"take absent":      {take, func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, fs.ErrNotExist},
		"add absent":       {add, func(t *testing.T) string { return filepath.Join(t.TempDir(), "none") }, fs.ErrNotExist},
		"take a folder":    {take, func(t *testing.T) string { return t.TempDir() }, nil},
		"add a folder":     {add, func(t *testing.T) string { return t.TempDir() }, nil},
		"take two, inline": {take, linkedSmall, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			path := c.path(t)
			before, _ := os.Lstat(path)
			d := k.NewDraft()
			err := c.fill(d, path)
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v", err)
			}
			if err := k.Put(t.Context(), keyOf("k"), d); err == nil {
				t.Error("a draft that failed was put")
			}
			if after, err := os.Lstat(path); before != nil && (err != nil || !os.SameFile(before, after)) {
				t.Errorf("the host's file is gone: %v", err)
			}
			k.wantFiles(0)
		})
	}
	k := newKitchen(t, nil)
	d := k.NewDraft()
	k.must(d.AddFile("out", linked(t))) // a copy does not mind
	k.must(k.Put(t.Context(), keyOf("k"), d))
	k.want("k", strings.Repeat("z", 5000))
}

func linkedSmall(t *testing.T) string {
	path := hostFile(t, "z", 0o644)
	if err := os.Link(path, path+".other"); err != nil {
		t.Skip(err)
	}
	return path
}

// TestTakenAndDiscarded gives a file away for good, and collects it with the draft.
func TestTakenAndDiscarded(t *testing.T) {
	for _, size := range []int{100, 5000} {
		k := newKitchen(t, nil)
		path := hostFile(t, strings.Repeat("z", size), 0o644)
		d := k.NewDraft()
		k.must(d.TakeFile("out", path))
		d.Discard()
		d.Discard()
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes: the file is still there: %v", size, err)
		}
		if err := k.Put(t.Context(), keyOf("k"), d); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("put of a discarded draft: %v", err)
		}
		k.wantFiles(0)
	}
}

// TestAddedFileIsACopy changes the host's file after it was added.
func TestAddedFileIsACopy(t *testing.T) {
	k := newKitchen(t, nil)
	path := hostFile(t, strings.Repeat("z", 5000), 0o644)
	d := k.NewDraft()
	k.must(d.AddFile("out", path))
	k.must(os.WriteFile(path, []byte(strings.Repeat("!", 5000)), 0o644))
	k.must(k.Put(t.Context(), keyOf("k"), d))
	k.want("k", strings.Repeat("z", 5000))
}
