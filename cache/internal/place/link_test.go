package place_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/place"
)

// link delivers src under out/f by link and says how.
func link(t *testing.T, p *place.Placer, src *os.File, out string, o place.Output) place.How {
	t.Helper()
	d := p.Deliver(openRoot(t, out), place.Link)
	how, err := d.File(t.Context(), src, o)
	if err == nil {
		err = d.Commit()
	}
	if err = errors.Join(err, d.Discard()); err != nil {
		t.Fatal(err)
	}
	return how
}

func linkable(name, content string) place.Output {
	o := output(name, content)
	o.Mode = 0o444
	return o
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	fa, err := os.Stat(a)
	fb, berr := os.Stat(b)
	if err = errors.Join(err, berr); err != nil {
		t.Fatal(err)
	}
	return os.SameFile(fa, fb)
}

func TestLink(t *testing.T) {
	top := t.TempDir()
	src := stored(t, top, "content")
	past := longAgo
	err := os.Chtimes(src.Name(), past, past)
	if err = errors.Join(err, os.Chmod(src.Name(), 0o444)); err != nil { // again: wine's Chtimes makes it writable
		t.Skipf("cannot set the time of a read-only file here: %v", err)
	}
	o := linkable("f", "content")
	o.ModTime = past.Add(time.Hour)
	for range 2 { // the second replaces a link of the same file
		if how := link(t, new(place.Placer), src, filepath.Join(top), o); how != place.Linked {
			t.Fatalf("%v, want linked", how)
		}
		if !sameFile(t, src.Name(), filepath.Join(top, "f")) {
			t.Error("not the same file")
		}
		wantModeAndTime(t, src.Name(), 0o444, past, time.Time{})
		if got := tree(t, top); strings.Contains(got, place.TempPrefix) {
			t.Errorf("a temporary name is left: %s", got)
		}
	}
}

func TestLinkOfOtherModeIsCopied(t *testing.T) {
	src, out := stored(t, t.TempDir(), "content"), t.TempDir()
	o := output("f", "content") // 0644, where 0444 is stored
	if how := link(t, new(place.Placer), src, out, o); how == place.Linked {
		t.Errorf("%v, want cloned or copied", how)
	}
	wantModeAndTime(t, src.Name(), 0o444, time.Time{}, time.Time{})
	wantModeAndTime(t, filepath.Join(out, "f"), 0o644, time.Time{}, time.Time{})
}

// TestLinkOfReplacedFile: the stored file's name belongs to another file than the one that was
// opened and verified.
func TestLinkOfReplacedFile(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	src := stored(t, dir, "content")
	other := stored(t, dir, "CONTENT")
	other.Close()
	if err := os.Rename(other.Name(), src.Name()); err != nil {
		t.Skipf("cannot replace an open file here: %v", err)
	}
	if how := link(t, new(place.Placer), src, out, linkable("f", "content")); how == place.Linked {
		t.Errorf("%v, want cloned or copied", how)
	}
	wantTree(t, out, "f=content")
}

// TestLinkOfVanishedFile: it can still be read.
func TestLinkOfVanishedFile(t *testing.T) {
	out := t.TempDir()
	src := stored(t, t.TempDir(), "content")
	if err := os.Remove(src.Name()); err != nil {
		t.Skipf("cannot remove an open file here: %v", err)
	}
	if how := link(t, new(place.Placer), src, out, linkable("f", "content")); how == place.Linked {
		t.Errorf("%v, want cloned or copied", how)
	}
	wantTree(t, out, "f=content")
}

// TestLinkVerifiesFirst: damage is found before there is a link, and not by asking the kernel
// first.
func TestLinkVerifiesFirst(t *testing.T) {
	var n calls
	d := placerThat(&n, nil, nil).Deliver(openRoot(t, t.TempDir()), place.Link)
	defer d.Discard()
	o := linkable("f", "content")
	o.Sum++
	_, err := d.File(t.Context(), stored(t, t.TempDir(), "content"), o)
	if !errors.Is(err, place.ErrMismatch) || n != (calls{}) {
		t.Errorf("got %v after %+v, want ErrMismatch after nothing", err, n)
	}
}

func TestCommitFailureKeepsStoredFile(t *testing.T) {
	src, out := stored(t, t.TempDir(), "content"), t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Link)
	for _, name := range []string{"a", "b"} {
		if how, err := d.File(t.Context(), src, linkable(name, "content")); err != nil || how != place.Linked {
			t.Fatal(how, err)
		}
	}
	write(t, out, "b/in the way", "")
	if err := d.Commit(); err == nil {
		t.Error("Commit over a folder succeeded")
	}
	wantTree(t, out, "b/ b/in the way=")
	wantModeAndTime(t, src.Name(), 0o444, time.Time{}, time.Time{})
}
