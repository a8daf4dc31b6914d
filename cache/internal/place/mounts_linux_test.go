//go:build long

package place_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/vfs"
)

// run runs a command of the system, or skips the test with its words.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Skipf("%s: %v: %s", name, err, out)
	}
}

// mount mounts at a new folder until the test ends.
func mount(t *testing.T, args ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mount")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "mount", append(args, dir)...)
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// image mounts a new file system of the given kind.
func image(t *testing.T, kind string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), kind)
	f, err := os.Create(name)
	if err == nil {
		err = errors.Join(f.Truncate(512<<20), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs."+kind, "-q", name)
	return mount(t, "-o", "loop", name)
}

func sub(t *testing.T, dir, name string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// placeOne delivers src as "f" below out and commits.
func placeOne(t *testing.T, p *place.Placer, m place.Mode, src *os.File, out string, o place.Output) (place.How, error) {
	t.Helper()
	root, err := os.OpenRoot(out)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close() // not later: it keeps the mount busy
	d := p.Deliver(root, m)
	how, err := d.File(t.Context(), src, o)
	if err != nil {
		return 0, errors.Join(err, d.Discard())
	}
	return how, d.Commit()
}

func TestCloningFileSystems(t *testing.T) {
	for _, kind := range []string{"xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			top := image(t, kind)
			src, out := stored(t, sub(t, top, "store"), "content"), sub(t, top, "out")
			var p place.Placer
			for _, mode := range []place.Mode{place.Auto, place.Clone} {
				o := output("f", "content")
				o.ModTime = longAgo
				if how, err := placeOne(t, &p, mode, src, out, o); err != nil || how != place.Cloned {
					t.Fatalf("got %v, %v; want cloned", how, err)
				}
				wantTree(t, out, "f=content")
				wantModeAndTime(t, filepath.Join(out, "f"), 0o644, longAgo, longAgo)
			}
			if how, err := placeOne(t, &p, place.Link, src, out, linkable("f", "content")); err != nil || how != place.Linked {
				t.Errorf("got %v, %v; want linked", how, err)
			}
			if how, err := placeOne(t, &p, place.Link, src, out, output("f", "content")); err != nil || how != place.Cloned {
				t.Errorf("got %v, %v for another mode; want cloned", how, err)
			}
			clonesArePrivate(t, src, out)
			importClones(t, sub(t, top, "store"), out)
			largeClone(t, sub(t, top, "store"), out)
			if p.Pairs() != 0 {
				t.Error("something was demoted")
			}
			if how, err := placeOne(t, &p, place.Auto, src, t.TempDir(), output("f", "content")); err != nil || how != place.Copied {
				t.Errorf("to another file system: %v, %v; want copied", how, err)
			}
		})
	}
}

func clonesArePrivate(t *testing.T, src *os.File, out string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(out, "f"), []byte("CONTENT"), 0); err != nil {
		t.Fatal(err)
	}
	wantContent(t, src.Name(), "content", 0o444)
}

func importClones(t *testing.T, store, out string) {
	t.Helper()
	src, dst := write(t, out, "new", "content"), filepath.Join(store, "taken")
	got, err := new(place.Placer).Import(t.Context(), vfs.OS{}, dst, src, nil)
	if err != nil || got.How != place.Cloned || got.Size != 7 {
		t.Errorf("Import: %+v, %v; want cloned", got, err)
	}
	wantContent(t, dst, "content", 0o600)
}

// largeClone passes the sizes that one copying call, or an int32, could not.
func largeClone(t *testing.T, store, out string) {
	t.Helper()
	const size = 5<<30 + 1
	src, err := os.Create(filepath.Join(store, "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.Truncate(size); err != nil {
		t.Fatal(err)
	}
	how, err := placeOne(t, new(place.Placer), place.Clone, src, out, place.Output{Name: "large", Mode: 0o644, Size: size})
	if err != nil || how != place.Cloned {
		t.Errorf("got %v, %v; want cloned", how, err)
	}
	if fi, err := os.Stat(filepath.Join(out, "large")); err != nil || fi.Size() != size {
		t.Errorf("got %v, %v", fi, err)
	}
}

// TestSubvolume: another device number, no links, but clones.
func TestSubvolume(t *testing.T) {
	top := image(t, "btrfs")
	out := filepath.Join(top, "subvolume")
	run(t, "btrfs", "subvolume", "create", out)
	src := stored(t, sub(t, top, "store"), "content")
	if device(t, src.Name()) == device(t, out) {
		t.Error("the subvolume has the device number of its parent")
	}
	var p place.Placer
	for range 2 {
		if how, err := placeOne(t, &p, place.Link, src, out, linkable("f", "content")); err != nil || how != place.Cloned {
			t.Errorf("got %v, %v; want cloned", how, err)
		}
	}
}

// TestBindMount: the same device, but no links across the mount, and links elsewhere on the device
// go on.
func TestBindMount(t *testing.T) {
	top := t.TempDir()
	bound := mount(t, "--bind", sub(t, top, "bound"))
	src := stored(t, top, "content")
	if device(t, bound) != device(t, top) {
		t.Error("a bind mount has another device number")
	}
	var p place.Placer
	for range 2 {
		if how, err := placeOne(t, &p, place.Link, src, bound, linkable("f", "content")); err != nil || how == place.Linked {
			t.Errorf("across the mount: %v, %v; want cloned or copied", how, err)
		}
		if how, err := placeOne(t, &p, place.Link, src, sub(t, top, "out"), linkable("f", "content")); err != nil || how != place.Linked {
			t.Errorf("beside the mount: %v, %v; want linked", how, err)
		}
	}
}

func TestDestinationFull(t *testing.T) {
	out := mount(t, "-t", "tmpfs", "-o", "size=1m", "tmpfs")
	content := string(make([]byte, 4<<20))
	for name, mode := range modes {
		src := stored(t, t.TempDir(), content)
		_, err := placeOne(t, new(place.Placer), mode, src, out, output("x/f", content))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: got %v, want ENOSPC", name, err)
		}
		wantTree(t, out, "")
	}
}

func TestReadOnlyDestination(t *testing.T) {
	out := mount(t, "-t", "tmpfs", "-o", "ro", "tmpfs")
	_, err := placeOne(t, new(place.Placer), place.Auto, stored(t, t.TempDir(), "content"), out, output("f", "content"))
	if !vfs.IsReadOnly(err) {
		t.Errorf("got %v, want EROFS", err)
	}
}

// TestReadOnlyStore delivers from a file system that cannot be written.
func TestReadOnlyStore(t *testing.T) {
	store := mount(t, "-t", "tmpfs", "tmpfs")
	name := stored(t, store, "content").Name()
	run(t, "mount", "-o", "remount,ro", store)
	src := openFile(t, name)
	for modeName, mode := range modes {
		out := t.TempDir()
		how, err := placeOne(t, new(place.Placer), mode, src, out, linkable("f", "content"))
		if err != nil || how != place.Copied {
			t.Errorf("%s: got %v, %v; want copied", modeName, how, err)
		}
		wantTree(t, out, "f=content")
	}
}

// TestLinkLimit reaches the real limit of this file system, and finds that other files can still
// be linked.
func TestLinkLimit(t *testing.T) {
	const most = 70_000
	dir := t.TempDir()
	src, other := stored(t, dir, "content"), stored(t, dir, "content")
	full := sub(t, dir, "links")
	for i := 0; ; i++ {
		err := os.Link(src.Name(), filepath.Join(full, fmt.Sprint(i)))
		if errors.Is(err, syscall.EMLINK) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i == most {
			t.Skipf("no limit within %d links here", most)
		}
	}
	var p place.Placer
	out := sub(t, dir, "out")
	if how, err := placeOne(t, &p, place.Link, src, out, linkable("f", "content")); err != nil || how == place.Linked {
		t.Errorf("beyond the limit: %v, %v; want cloned or copied", how, err)
	}
	if how, err := placeOne(t, &p, place.Link, other, out, linkable("g", "content")); err != nil || how != place.Linked {
		t.Errorf("another file: %v, %v; want linked", how, err)
	}
	wantTree(t, out, "f=content g=content")
}
