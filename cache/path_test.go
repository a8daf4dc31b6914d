package cache_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

// TestPath hands out absolute paths of read-only files with the right bytes, inline outputs among them.
func TestPath(t *testing.T) {
	needsModes(t)
	for name, size := range map[string]int{"empty": 0, "inline": 100, "file": 5000} {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			text := strings.Repeat("x", size)
			k.put("k", text)
			a := k.get("k")
			path := k.path(a, "out")
			b, err := os.ReadFile(path)
			if !filepath.IsAbs(path) || err != nil || string(b) != text {
				t.Errorf("%s: %d bytes, %v", path, len(b), err)
			}
			if fi, err := os.Stat(path); err != nil || fi.Mode().Perm()&0o222 != 0 {
				t.Errorf("mode %v, %v", fi.Mode(), err)
			}
			if again := k.path(a, "out"); again != path {
				t.Errorf("second path %s, first %s", again, path)
			}
			other := k.get("k")
			k.path(other, "out")
			a.Release()
			if _, err := os.Stat(path); err != nil {
				t.Errorf("path of one holder after another's release: %v", err)
			}
			other.Release()
			if size < 5000 {
				k.wantFiles(0)
			}
			if _, err := a.Path("out"); !errors.Is(err, cache.ErrClosed) {
				t.Errorf("path after release: %v", err)
			}
		})
	}
}

// TestPathOfWrittenOutInline keeps the file of an inline output that another key has come to refer to.
func TestPathOfWrittenOutInline(t *testing.T) {
	k := newKitchen(t, nil)
	k.put("inline", "small")
	a := k.get("inline")
	path := k.path(a, "out")
	d := k.NewDraft()
	d.NeverInline()
	k.must(d.Add("out", 0o644, strings.NewReader("small")))
	k.must(k.Put(t.Context(), keyOf("file"), d))
	a.Release()
	if b, err := os.ReadFile(path); err != nil || string(b) != "small" {
		t.Errorf("after release: %q, %v", b, err)
	}
	k.want("file", "small")
	k.must(k.Delete(t.Context(), keyOf("file")))
	k.wantFiles(0)
}

// TestPathOfDropped keeps paths valid while the key is replaced and deleted.
func TestPathOfDropped(t *testing.T) {
	for name, size := range map[string]int{"inline": 100, "file": 5000} {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, nil)
			text := strings.Repeat("x", size)
			k.put("k", text)
			a := k.get("k")
			path := k.path(a, "out")
			k.put("k", "new")
			k.must(k.Delete(t.Context(), keyOf("k")))
			if b, err := os.ReadFile(path); err != nil || string(b) != text {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if again := k.path(a, "out"); again != path {
				t.Errorf("path changed to %s", again)
			}
			a.Release()
			k.wantFiles(0)
		})
	}
}

// TestPathSpoiled does to a file that was handed out what a careless user can do: the next hand-out is a miss, told of and
// counted, and the next put mends it.
func TestPathSpoiled(t *testing.T) {
	text := strings.Repeat("0123456789", 500)
	harms := map[string]func(path string) error{
		"renamed away": func(p string) error { return errors.Join(os.Chmod(p, 0o644), os.Rename(p, p+".taken")) },
		"removed":      os.Remove,
		"overwritten, mtime restored": func(p string) error {
			return rewrite(p, text[:100]+"!"+text[101:], true)
		},
		"overwritten":         func(p string) error { return rewrite(p, text[:100]+"!"+text[101:], false) },
		"cut":                 func(p string) error { return rewrite(p, text[:4999], true) },
		"emptied":             func(p string) error { return rewrite(p, "", true) },
		"extended":            func(p string) error { return rewrite(p, text+"!", true) },
		"replaced":            func(p string) error { return errors.Join(os.Remove(p), os.WriteFile(p, []byte(text[1:]+"!"), 0o444)) },
		"replaced, same size": func(p string) error { return replaceKeepingTime(p, "!"+text[1:]) },
		"a link now":          func(p string) error { return errors.Join(os.Rename(p, p+".moved"), os.Symlink(p+".moved", p)) },
		"a folder now":        func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o777)) },
		"linked and written": func(p string) error {
			return errors.Join(os.Link(p, p+".link"), rewrite(p+".link", "!"+text[1:], true))
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && name == "replaced, same size" {
				t.Skip("no inode tells of it")
			}
			var told []cache.Corruption
			k := newKitchen(t, &cache.Options{OnCorrupt: func(c cache.Corruption) { told = append(told, c) }, VerifyAfter: 1})
			k.put("k", text)
			a := k.get("k")
			path := k.path(a, "out")
			o, err := a.Output("out")
			k.must(err)
			a.Release()
			if err := harm(path); name == "a link now" && err != nil {
				t.Skip(err)
			} else {
				k.must(err)
			}
			a = k.get("k")
			got, err := a.Path("out")
			if got != "" || !errors.Is(err, cache.ErrCorrupt) || !errors.Is(err, cache.ErrNotFound) {
				t.Errorf("hand-out: %q, %v", got, err)
			}
			if len(told) != 1 || told[0].Key != keyOf("k") || told[0].Digest != o.Digest || told[0].Reason == "" ||
				!strings.HasSuffix(path, told[0].Path) || filepath.IsAbs(told[0].Path) {
				t.Errorf("told of %+v", told)
			}
			if n := k.Stats().Corrupt; n != 1 {
				t.Errorf("%d corrupt", n)
			}
			a.Release()
			k.miss("k")
			k.put("k", text)
			k.want("k", text)
			k.path(k.get("k"), "out")
		})
	}
}

// rewrite changes a file in place, and sets its mode and, if wanted, mtime back.
func rewrite(path, text string, restore bool) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	err = errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, []byte(text), 0o644))
	if restore {
		return errors.Join(err, os.Chtimes(path, fi.ModTime(), fi.ModTime()), os.Chmod(path, fi.Mode()))
	}
	later := fi.ModTime().Add(time.Second)
	return errors.Join(err, os.Chtimes(path, later, later), os.Chmod(path, fi.Mode()))
}

func replaceKeepingTime(path, text string) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	other := path + ".new"
	return errors.Join(os.WriteFile(other, []byte(text), 0o444), os.Chtimes(other, fi.ModTime(), fi.ModTime()), os.Rename(other, path))
}

// TestPathCheapChecks changes one thing that is compared at each hand-out, without waiting for the next hash on schedule.
func TestPathCheapChecks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no inode and no link count there")
	}
	text := strings.Repeat("0123456789", 500)
	wrong := "!" + text[1:]
	for name, harm := range map[string]func(p string) error{
		"size":       func(p string) error { return rewrite(p, text[1:], true) },
		"mtime":      func(p string) error { return rewrite(p, wrong, false) },
		"inode":      func(p string) error { return replaceKeepingTime(p, wrong) },
		"link count": func(p string) error { return errors.Join(os.Link(p, p+".link"), rewrite(p, wrong, true)) },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKitchen(t, &cache.Options{VerifyAfter: -1})
			k.put("k", text)
			a := k.get("k")
			k.must(harm(k.path(a, "out")))
			if _, err := a.Path("out"); !errors.Is(err, cache.ErrCorrupt) {
				t.Errorf("hand-out: %v", err)
			}
		})
	}
}

// TestPathUntouched believes a file that only looks changed once it was hashed.
func TestPathUntouched(t *testing.T) {
	k := newKitchen(t, nil)
	text := strings.Repeat("x", 5000)
	k.put("k", text)
	a := k.get("k")
	path := k.path(a, "out")
	k.must(rewrite(path, text, false))
	k.path(a, "out")
	k.must(errors.Join(os.Link(path, path+".link")))
	k.path(a, "out")
	if st := k.Stats(); st.Corrupt != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// TestPathSchedule hashes again when the last hash is older than VerifyAfter, and not before.
func TestPathSchedule(t *testing.T) {
	cases := []struct {
		after, passed time.Duration
		found         bool
	}{
		{0, 23 * time.Hour, false}, {0, 24 * time.Hour, true}, {time.Hour, 59 * time.Minute, false},
		{time.Hour, time.Hour, true}, {-1, 1000 * time.Hour, false},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.after, " ", c.passed), func(t *testing.T) {
			var now atomic.Int64
			now.Store(time.Now().Unix())
			k := newKitchen(t, &cache.Options{VerifyAfter: c.after, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
			k.put("k", strings.Repeat("x", 5000))
			a := k.get("k")
			spoil(t, k.path(a, "out"))
			now.Add(int64(c.passed / time.Second))
			if _, err := a.Path("out"); errors.Is(err, cache.ErrCorrupt) != c.found || !c.found && err != nil {
				t.Errorf("hand-out after %v: %v", c.passed, err)
			}
		})
	}
}

// TestBytesNeedNoSchedule verifies every read, whatever the file looks like.
func TestBytesNeedNoSchedule(t *testing.T) {
	k := newKitchen(t, &cache.Options{VerifyAfter: -1})
	k.put("k", strings.Repeat("x", 5000))
	a := k.get("k")
	spoil(t, k.path(a, "out"))
	if _, err := a.Bytes("out"); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("bytes: %v", err)
	}
}

// TestSpoiledShared spoils a file of two keys: each is a miss, and a put under either mends what it can.
func TestSpoiledShared(t *testing.T) {
	text := strings.Repeat("x", 5000)
	k := newKitchen(t, nil)
	k.put("a", text)
	k.put("b", text)
	a := k.get("a")
	spoil(t, k.path(a, "out"))
	if _, err := a.Bytes("out"); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("bytes: %v", err)
	}
	a.Release()
	k.miss("a")
	k.put("a", text)
	k.want("a", text)
	k.want("b", text)
	k.wantFiles(1)
	if st := k.Stats(); st.Entries != 2 || st.Payloads != 1 || st.SharedBytes != 5000 || st.Corrupt != 1 {
		t.Errorf("stats: %+v", st)
	}
}

// TestBytesOfLongerFile appends to files, of sizes around those up to which a file is read at once, and hashed by who reads it.
func TestBytesOfLongerFile(t *testing.T) {
	for _, size := range []int{5000, 256 << 10, 256<<10 + 1, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		k := newKitchen(t, nil)
		k.put("k", strings.Repeat("x", size))
		a := k.get("k")
		if b, err := a.Bytes("out"); err != nil || len(b) != size || cap(b) != size {
			t.Errorf("%d bytes: %d, room for %d, %v", size, len(b), cap(b), err)
		}
		path := k.path(a, "out")
		k.must(os.Chmod(path, 0o644))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		k.must(err)
		_, err = f.WriteString("x")
		k.must(errors.Join(err, f.Close()))
		if _, err := a.Bytes("out"); !errors.Is(err, cache.ErrCorrupt) {
			t.Errorf("%d bytes and one: %v", size, err)
		}
	}
}

// TestPutOverSpoiledFile puts content whose file has other bytes by now, and nothing else to tell it by: the put sets it right.
func TestPutOverSpoiledFile(t *testing.T) {
	k := newKitchen(t, &cache.Options{VerifyAfter: time.Nanosecond})
	text := strings.Repeat("text ", 1000)
	k.put("k", text)
	a := k.get("k")
	spoil(t, k.path(a, "out"))
	a.Release()
	k.put("again", text)
	k.want("again", text)
	k.want("k", text)
	k.wantFiles(1)
}
