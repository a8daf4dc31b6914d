package place_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/cache/internal/place"
)

func TestParentLinkLeadsOut(t *testing.T) {
	for _, target := range []string{"absolute", "relative"} {
		for name, put := range map[string]func(*place.Delivery) error{
			"file": func(d *place.Delivery) error {
				_, err := d.File(t.Context(), stored(t, t.TempDir(), "evil"), output("trap/f", "evil"))
				return err
			},
			"bytes":      func(d *place.Delivery) error { return d.Bytes([]byte("evil"), output("trap/f", "evil")) },
			"symlink":    func(d *place.Delivery) error { return d.Symlink("trap/f", "g") },
			"new folder": func(d *place.Delivery) error { return d.Bytes(nil, output("trap/new/f", "")) },
		} {
			t.Run(target+"/"+name, func(t *testing.T) {
				top := t.TempDir()
				out, outside := filepath.Join(top, "out"), filepath.Join(top, "outside")
				if err := errors.Join(os.Mkdir(out, 0o755), os.Mkdir(outside, 0o755)); err != nil {
					t.Fatal(err)
				}
				to := map[string]string{"absolute": outside, "relative": filepath.Join("..", "outside")}[target]
				symlink(t, to, filepath.Join(out, "trap"))
				d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
				defer d.Discard()
				if err := put(d); err == nil {
					t.Error("a link out of the destination was followed")
				}
				wantTree(t, outside, "")
			})
		}
	}
}

func TestParentLinkInside(t *testing.T) {
	out := t.TempDir()
	write(t, out, "real/old", "old")
	symlink(t, "real", filepath.Join(out, "alias"))
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	if err := errors.Join(d.Bytes([]byte("x"), output("alias/f", "x")), d.Commit()); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "alias->real real/ real/f=x real/old=old")
}

func TestDestinationLinkIsReplaced(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			victim := write(t, top, "victim", "theirs")
			out := filepath.Join(top, "out")
			if err := os.Mkdir(out, 0o755); err != nil {
				t.Fatal(err)
			}
			symlink(t, victim, filepath.Join(out, "f"))
			d := new(place.Placer).Deliver(openRoot(t, out), mode)
			o := output("f", "ours")
			o.Mode = 0o444
			if _, err := d.File(t.Context(), stored(t, t.TempDir(), "ours"), o); err != nil {
				t.Fatal(err)
			}
			if err := d.Commit(); err != nil {
				t.Fatal(err)
			}
			wantTree(t, top, "out/ out/f=ours victim=theirs")
		})
	}
}

// TestFolderSwappedForLink swaps the folder after staging: Commit may fail, or use the folder it
// had opened, but it does not follow the link.
func TestFolderSwappedForLink(t *testing.T) {
	top := t.TempDir()
	write(t, top, "outside/f", "theirs")
	out := filepath.Join(top, "out")
	write(t, out, "x/keep", "")
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	stage(t, d, "x/f", "g")
	err := os.Rename(filepath.Join(out, "x"), filepath.Join(out, "y"))
	if err != nil {
		t.Skipf("cannot rename an open folder here: %v", err)
	}
	symlink(t, filepath.Join("..", "outside"), filepath.Join(out, "x"))
	if err := d.Commit(); err == nil {
		t.Error("Commit went through the link")
	}
	wantTree(t, filepath.Join(top, "outside"), "f=theirs")
}

func TestDestinationIsFolder(t *testing.T) {
	out := t.TempDir()
	write(t, out, "x/f", "theirs")
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	if err := d.Bytes(nil, output("x", "")); err == nil {
		t.Error("staging over a folder succeeded")
	}
	if err := d.Symlink("x", "y"); err == nil {
		t.Error("staging a link over a folder succeeded")
	}
	if err := d.Bytes(nil, output("x/f/g", "")); err == nil {
		t.Error("staging below a file succeeded")
	}
	if err := d.Discard(); err != nil {
		t.Error(err)
	}
	wantTree(t, out, "x/ x/f=theirs")
}

func TestReadOnlyDestinationIsReplaced(t *testing.T) {
	out := t.TempDir()
	old := write(t, out, "f", "old")
	other := filepath.Join(t.TempDir(), "other name")
	if err := errors.Join(os.Link(old, other), os.Chmod(old, 0o444)); err != nil {
		t.Skipf("cannot link here: %v", err)
	}
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	if err := errors.Join(d.Bytes([]byte("new"), output("f", "new")), d.Commit()); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "f=new")
	fi, err := os.Stat(other)
	if err != nil || fi.Mode().Perm() != 0o444 {
		t.Errorf("the old file's other name was changed: %v, %v", fi, err)
	}
}

func TestSymlinkTargets(t *testing.T) {
	cases := []struct {
		name, target string
		ok           bool
	}{
		{"l", "f", true},
		{"l", "./f", true},
		{"l", "d/", true},
		{"l", "d//f", true},
		{"a/b/l", "../../f", true},
		{"a/b/l", "../..", true},
		{"a/l", "./.././f", true},
		{"l", "..f", true},
		{"l", "d/...", true},

		{"l", "", false},
		{"l", "..", false},
		{"l", "../f", false},
		{"l", "./../f", false},
		{"a/l", "../../f", false},
		{"a/b/l", "../../../f", false},
		{"l", "/etc/passwd", false},
		{"l", "//host/share", false},
		{"l", "f\x00g", false},
		{"l", "d/../f", false}, // d may be a link
		{"a/l", "d/../f", false},
		{"a/b/l", "../d/../../f", false},
	}
	for _, c := range cases {
		t.Run(c.name+" to "+c.target, func(t *testing.T) {
			out := t.TempDir()
			d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
			defer d.Discard()
			err := d.Symlink(c.name, c.target)
			if _, refused := errors.AsType[*place.TargetError](err); refused != !c.ok {
				t.Fatalf("got %v, want it made: %v", err, c.ok)
			}
			if err != nil && c.ok {
				t.Skipf("cannot make symbolic links here: %v", err)
			}
			if err := d.Commit(); err != nil {
				t.Fatal(err)
			}
			wantLink(t, filepath.Join(out, filepath.FromSlash(c.name)), c.target, c.ok)
		})
	}
}

func wantLink(t *testing.T, name, target string, made bool) {
	t.Helper()
	switch got, err := os.Readlink(name); {
	case made && got != filepath.FromSlash(target):
		t.Errorf("the link holds %q, %v", got, err)
	case !made && err == nil:
		t.Errorf("a link to %q was made", got)
	}
}

// TestSymlinkBelowLink shows why text alone does not do: "deep/l" to "../../f" stays inside by its
// text, and leads out because deep is another name of the top.
func TestSymlinkBelowLink(t *testing.T) {
	out := t.TempDir()
	write(t, out, "a/b/keep", "")
	symlink(t, filepath.Join("..", ".."), filepath.Join(out, "a", "b", "deep"))
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	defer d.Discard()
	err := d.Symlink("a/b/deep/l", "../../f")
	if _, refused := errors.AsType[*place.TargetError](err); !refused {
		t.Errorf("got %v, want a TargetError", err)
	}
	if err := d.Symlink("a/b/deep/l", "f"); err != nil {
		t.Errorf("a link that does not go up: %v", err)
	}
}

func TestSymlinkReplaces(t *testing.T) {
	out := t.TempDir()
	write(t, out, "f", "old")
	symlink(t, "old target", filepath.Join(out, "l"))
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	if err := errors.Join(d.Symlink("f", "g"), d.Symlink("l", "new target"), d.Commit()); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "f->g l->new target")
}
