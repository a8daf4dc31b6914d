package cache_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache"
)

// bakery is a store with an artifact "k" of four outputs, and a destination.
type bakery struct {
	*kitchen
	dest string
	dst  *os.Root
	put  time.Time
}

var bakes = map[string]string{"inline": "small", "file": strings.Repeat("file ", 1000), "bin/tool": strings.Repeat("tool ", 1000)}

func newBakery(t *testing.T, o *cache.Options) *bakery {
	t.Helper()
	b := &bakery{kitchen: newKitchen(t, o), dest: t.TempDir(), put: time.Now().Add(-1000 * time.Hour)}
	if o == nil {
		b.reopen(&cache.Options{Now: func() time.Time { return b.put }})
	}
	dst, err := os.OpenRoot(b.dest)
	b.must(err)
	b.t.Cleanup(func() { dst.Close() })
	b.dst = dst
	b.bake()
	return b
}

func (b *bakery) bake() {
	b.t.Helper()
	d := b.NewDraft()
	b.must(d.Add("inline", 0o644, strings.NewReader(bakes["inline"])))
	b.must(d.Add("file", 0o444, strings.NewReader(bakes["file"])))
	b.must(d.Add("bin/tool", 0o755, strings.NewReader(bakes["bin/tool"])))
	b.must(d.AddSymlink("bin/link", "tool"))
	b.must(b.Put(b.t.Context(), keyOf("k"), d))
}

// tree lists what was delivered.
func (b *bakery) tree() (list []string) {
	b.t.Helper()
	b.must(fs.WalkDir(b.dst.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			list = append(list, name)
		}
		return err
	}))
	return list
}

func (b *bakery) deliver(o *cache.DeliverOptions) []cache.Delivered {
	b.t.Helper()
	a := b.get("k")
	defer a.Release()
	list, err := a.Deliver(b.t.Context(), b.dst, o)
	b.must(err)
	return list
}

// TestDeliverModes delivers in each mode, and demands the right bytes, modes and times, and an honest report.
func TestDeliverModes(t *testing.T) {
	needsModes(t)
	for name, mode := range map[string]cache.DeliverMode{"auto": cache.Auto, "copy": cache.Copy, "link": cache.Link} {
		for _, times := range []cache.Times{cache.TimeNow, cache.TimeStored} {
			t.Run(name, func(t *testing.T) {
				b := newBakery(t, nil)
				start := time.Now().Add(-2 * time.Second)
				for _, d := range b.deliver(&cache.DeliverOptions{Mode: mode, Times: times}) {
					b.checkDelivered(d, mode, times, start)
				}
				if got := b.tree(); len(got) != 4 {
					t.Errorf("delivered %q", got)
				}
			})
		}
	}
}

func (b *bakery) checkDelivered(d cache.Delivered, mode cache.DeliverMode, times cache.Times, start time.Time) {
	b.t.Helper()
	path := filepath.Join(b.dest, filepath.FromSlash(d.To))
	if d.Name == "bin/link" {
		if target, err := os.Readlink(path); d.How != cache.Symlinked || err != nil || filepath.ToSlash(target) != "tool" {
			b.t.Errorf("%+v: %q, %v", d, target, err)
		}
		return
	}
	fi, err := os.Stat(path)
	b.must(err)
	text, err := os.ReadFile(path)
	if err != nil || string(text) != bakes[d.Name] || d.To != d.Name {
		b.t.Errorf("%+v: %d bytes, %v", d, len(text), err)
	}
	want := map[string]fs.FileMode{"inline": 0o644, "file": 0o444, "bin/tool": 0o755}[d.Name]
	if runtime.GOOS != "windows" && fi.Mode() != want {
		b.t.Errorf("%+v: mode %v, want %v", d, fi.Mode(), want)
	}
	switch linked := mode == cache.Link && d.Name == "file" && runtime.GOOS != "windows"; {
	case linked != (d.How == cache.Linked), d.How == cache.Symlinked, mode == cache.Copy && d.How != cache.Copied:
		b.t.Errorf("%+v in mode %d", d, mode)
	case linked:
	case times == cache.TimeStored && !fi.ModTime().Equal(b.put):
		b.t.Errorf("%+v: mtime %v, put at %v", d, fi.ModTime(), b.put)
	case times == cache.TimeNow && fi.ModTime().Before(start):
		b.t.Errorf("%+v: mtime %v, delivered after %v", d, fi.ModTime(), start)
	}
}

// TestDeliverClone says so where the file system cannot, and delivers nothing.
func TestDeliverClone(t *testing.T) {
	b := newBakery(t, nil)
	list, err := b.get("k").Deliver(t.Context(), b.dst, &cache.DeliverOptions{Mode: cache.Clone})
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) || len(b.tree()) != 0 {
			t.Errorf("clone: %v, left %q", err, b.tree())
		}
		return
	}
	for _, d := range list {
		if d.Name == "file" && d.How != cache.Cloned {
			t.Errorf("%+v", d)
		}
	}
}

// TestDeliverRename puts outputs elsewhere and leaves some out.
func TestDeliverRename(t *testing.T) {
	b := newBakery(t, nil)
	list := b.deliver(&cache.DeliverOptions{Rename: func(name string) (string, bool) {
		return "out/" + filepath.Base(name) + ".x", name == "file" || name == "inline"
	}})
	want := []cache.Delivered{{Name: "inline", To: "out/inline.x"}, {Name: "file", To: "out/file.x"}}
	for i := range list {
		list[i].How = 0
	}
	if !slices.Equal(list, want) || !slices.Equal(b.tree(), []string{"out/file.x", "out/inline.x"}) {
		t.Errorf("%+v, tree %q", list, b.tree())
	}
	for name, to := range map[string][2]string{"twice": {"x", "x"}, "but for case": {"x", "X"}, "below another": {"x", "x/y"}} {
		pair := func(name string) (string, bool) {
			if name == "file" {
				return to[0], true
			}
			return to[1], name == "inline"
		}
		_, err := b.get("k").Deliver(t.Context(), b.dst, &cache.DeliverOptions{Rename: pair})
		if _, named := errors.AsType[*cache.NameError](err); !named || len(b.tree()) != 2 {
			t.Errorf("rename to one name, %s: %v, tree %q", name, err, b.tree())
		}
	}
	for name, to := range map[string]string{"out": "../escaped", "absolute": "/escaped", "NUL": "a\x00b"} {
		_, err := b.get("k").Deliver(t.Context(), b.dst, &cache.DeliverOptions{Rename: func(string) (string, bool) { return to, true }})
		if _, named := errors.AsType[*cache.NameError](err); !named || len(b.tree()) != 2 {
			t.Errorf("rename to %s: %v, tree %q", name, err, b.tree())
		}
	}
}

// TestDeliverLinkModified writes through a link that was delivered: the next hand-out of any kind is a miss.
func TestDeliverLinkModified(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links are not made for this mode there")
	}
	next := map[string]func(b *bakery, a *cache.Artifact) error{
		"path":    func(_ *bakery, a *cache.Artifact) error { _, err := a.Path("file"); return err },
		"bytes":   func(_ *bakery, a *cache.Artifact) error { _, err := a.Bytes("file"); return err },
		"open":    func(_ *bakery, a *cache.Artifact) error { _, err := a.Open("file"); return err },
		"deliver": func(b *bakery, a *cache.Artifact) error { _, err := a.Deliver(b.t.Context(), b.dst, nil); return err },
		"link": func(b *bakery, a *cache.Artifact) error {
			_, err := a.Deliver(b.t.Context(), b.dst, &cache.DeliverOptions{Mode: cache.Link})
			return err
		},
	}
	for name, hand := range next {
		for _, unlink := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				b := newBakery(t, &cache.Options{VerifyAfter: -1})
				b.deliver(&cache.DeliverOptions{Mode: cache.Link})
				linked := filepath.Join(b.dest, "file")
				spoil(t, linked)
				if unlink { // the link count tells nothing then
					b.must(os.Remove(linked))
				}
				if err := hand(b, b.get("k")); !errors.Is(err, cache.ErrCorrupt) {
					t.Errorf("hand-out: %v", err)
				}
				b.miss("k")
				b.bake()
				b.must(os.RemoveAll(filepath.Join(b.dest, "file")))
				b.deliver(nil)
				b.path(b.get("k"), "file")
			})
		}
	}
}

// TestDeliverLinkModifiedThenPut puts the content again before anybody finds out.
func TestDeliverLinkModifiedThenPut(t *testing.T) {
	needsModes(t)
	b := newBakery(t, &cache.Options{VerifyAfter: -1})
	b.deliver(&cache.DeliverOptions{Mode: cache.Link})
	if runtime.GOOS != "windows" {
		spoil(t, filepath.Join(b.dest, "file"))
	}
	b.bake()
	if text, err := b.get("k").Bytes("file"); err != nil || string(text) != bakes["file"] {
		t.Errorf("after a put: %d bytes, %v", len(text), err)
	}
}

// TestDeliverCorrupt delivers nothing of an artifact of which one file is spoiled, and replaces nothing.
func TestDeliverCorrupt(t *testing.T) {
	for _, spoiled := range []string{"file", "bin/tool"} {
		for name, mode := range map[string]cache.DeliverMode{"auto": cache.Auto, "link": cache.Link, "copy": cache.Copy} {
			t.Run(spoiled+" "+name, func(t *testing.T) {
				b := newBakery(t, nil)
				b.must(os.WriteFile(filepath.Join(b.dest, "inline"), []byte("older"), 0o644))
				a := b.get("k")
				spoil(t, b.path(a, spoiled))
				list, err := a.Deliver(t.Context(), b.dst, &cache.DeliverOptions{Mode: mode})
				if list != nil || !errors.Is(err, cache.ErrCorrupt) || !errors.Is(err, cache.ErrNotFound) {
					t.Errorf("deliver: %v, %v", list, err)
				}
				older, err := os.ReadFile(filepath.Join(b.dest, "inline"))
				if got := b.tree(); err != nil || string(older) != "older" || !slices.Equal(got, []string{"inline"}) {
					t.Errorf("left %q, older file %q, %v", got, older, err)
				}
				b.miss("k")
			})
		}
	}
}

// TestDeliverCancelled leaves nothing.
func TestDeliverCancelled(t *testing.T) {
	needsModes(t)
	b := newBakery(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	o := &cache.DeliverOptions{Rename: func(name string) (string, bool) {
		if name == "bin/tool" {
			cancel()
		}
		return name, true
	}}
	if list, err := b.get("k").Deliver(ctx, b.dst, o); list != nil || !errors.Is(err, context.Canceled) || len(b.tree()) != 0 {
		t.Errorf("%v, %v, left %q", list, err, b.tree())
	}
	b.deliver(nil)
}

func TestDeliverOptionsRefused(t *testing.T) {
	b := newBakery(t, nil)
	a := b.get("k")
	defer a.Release()
	for field, o := range map[string]*cache.DeliverOptions{
		"Mode":  {Mode: cache.Copy + 1},
		"Times": {Times: cache.TimeStored + 1},
	} {
		_, err := a.Deliver(t.Context(), b.dst, o)
		if err == nil || !strings.Contains(err.Error(), "DeliverOptions."+field) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	left, err := os.ReadDir(b.dest)
	b.must(err)
	if len(left) != 0 {
		t.Errorf("delivered: %v", left)
	}
}
