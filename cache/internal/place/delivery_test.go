package place_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/vfs"
)

var modes = map[string]place.Mode{"auto": place.Auto, "link": place.Link, "copy": place.Copy}

func TestModeAndTime(t *testing.T) {
	past := longAgo
	cases := []struct {
		name string
		mode fs.FileMode
		time time.Time
	}{
		{"plain", 0o644, past},
		{"program", 0o755, past},
		{"private", 0o600, past},
		{"open to all in spite of the umask", 0o666, past},
		{"read-only", 0o444, past},
		{"now", 0o644, time.Time{}},
	}
	for _, c := range cases {
		for name, mode := range modes {
			if mode == place.Link && c.mode == 0o444 {
				continue // links: see TestLink
			}
			t.Run(c.name+"/"+name, func(t *testing.T) {
				out, begin := t.TempDir(), time.Now().Add(-2*time.Second)
				o := output("f", "content")
				o.Mode, o.ModTime = c.mode, c.time
				d := new(place.Placer).Deliver(openRoot(t, out), mode)
				if _, err := d.File(t.Context(), stored(t, t.TempDir(), "content"), o); err != nil {
					t.Fatal(err)
				}
				if err := d.Commit(); err != nil {
					t.Fatal(err)
				}
				wantTree(t, out, "f=content")
				wantModeAndTime(t, filepath.Join(out, "f"), c.mode, c.time, begin)
			})
		}
	}
}

func wantModeAndTime(t *testing.T, name string, mode fs.FileMode, mtime, begin time.Time) {
	t.Helper()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode().Perm(); got != portable(mode) {
		t.Errorf("mode is %v, want %v", got, portable(mode))
	}
	switch got := fi.ModTime(); {
	case mtime.IsZero() && got.Before(begin):
		t.Errorf("time is %v, want now", got)
	case !mtime.IsZero() && !got.Equal(mtime):
		t.Errorf("time is %v, want %v", got, mtime)
	}
}

func TestNothingIsVisibleBeforeCommit(t *testing.T) {
	out := t.TempDir()
	write(t, out, "a", "old")
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	stage(t, d, "a", "x/y/b")
	for _, name := range []string{"x/y/b", "c"} {
		if _, err := os.Lstat(filepath.Join(out, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there before Commit: %v", name, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(out, "a")); string(b) != "old" {
		t.Errorf("a holds %q, %v before Commit", b, err)
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "a=new a x/ x/y/ x/y/b=new x/y/b")
}

// stage stages names with "new " and the name for content, alternately from files and from memory.
func stage(t *testing.T, d *place.Delivery, names ...string) {
	t.Helper()
	for i, name := range names {
		content := "new " + name
		var err error
		if i%2 == 0 {
			_, err = d.File(t.Context(), stored(t, t.TempDir(), content), output(name, content))
		} else {
			err = d.Bytes([]byte(content), output(name, content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDiscardRestores(t *testing.T) {
	out := t.TempDir()
	write(t, out, "kept/a", "old")
	before := tree(t, out)
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	stage(t, d, "kept/a", "kept/b/c/d", "kept/b/e", "f", "g/h", "kept/b/c/i")
	if err := d.Symlink("g/l", "h"); err != nil {
		t.Skipf("cannot make symbolic links here: %v", err)
	}
	for range 2 {
		if err := d.Discard(); err != nil {
			t.Fatal(err)
		}
	}
	wantTree(t, out, before)
}

func TestDiscardLeavesFoldersOfOthers(t *testing.T) {
	out := t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	stage(t, d, "x/y/a")
	write(t, out, "x/other", "theirs")
	if err := d.Discard(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "x/ x/other=theirs")
}

func TestDiscardAfterCommitIsNothing(t *testing.T) {
	out := t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	stage(t, d, "a")
	if err := errors.Join(d.Commit(), d.Discard()); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "a=new a")
}

func TestFailedCommitRemovesEverything(t *testing.T) {
	out := t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	stage(t, d, "a", "x/b", "c", "d")
	write(t, out, "c/in the way", "theirs")
	if err := d.Commit(); err == nil {
		t.Fatal("Commit over a folder succeeded")
	}
	wantTree(t, out, "c/ c/in the way=theirs")
}

func TestEndedDelivery(t *testing.T) {
	out := t.TempDir()
	for name, end := range map[string]func(*place.Delivery) error{
		"committed": (*place.Delivery).Commit, "discarded": (*place.Delivery).Discard,
	} {
		t.Run(name, func(t *testing.T) {
			d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
			if err := end(d); err != nil {
				t.Fatal(err)
			}
			_, err := d.File(t.Context(), stored(t, t.TempDir(), "x"), output("f", "x"))
			for _, err := range []error{err, d.Bytes(nil, output("f", "")), d.Symlink("l", "f"), d.Commit()} {
				if !errors.Is(err, fs.ErrClosed) {
					t.Errorf("got %v, want fs.ErrClosed", err)
				}
			}
		})
	}
	wantTree(t, out, "")
}

func TestMismatch(t *testing.T) {
	cases := []struct {
		name   string
		change func(*place.Output)
	}{
		{"sum", func(o *place.Output) { o.Sum++ }},
		{"shorter", func(o *place.Output) { o.Size-- }},
		{"longer", func(o *place.Output) { o.Size++ }},
	}
	for _, c := range cases {
		for name, mode := range modes {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				out := t.TempDir()
				o := output("x/f", "content")
				o.Mode = 0o444
				c.change(&o)
				d := new(place.Placer).Deliver(openRoot(t, out), mode)
				_, err := d.File(t.Context(), stored(t, t.TempDir(), "content"), o)
				if !errors.Is(err, place.ErrMismatch) {
					t.Errorf("File: %v, want ErrMismatch", err)
				}
				if err := d.Bytes([]byte("content"), o); !errors.Is(err, place.ErrMismatch) {
					t.Errorf("Bytes: %v, want ErrMismatch", err)
				}
				if err := d.Discard(); err != nil {
					t.Error(err)
				}
				wantTree(t, out, "")
			})
		}
	}
}

func TestUnreadableSource(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<16)
	out := t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	defer d.Discard()
	src := &brokenFile{File: stored(t, t.TempDir(), content), from: 300 << 10, err: syscall.EIO}
	_, err := d.File(t.Context(), src, output("f", content))
	if _, ok := errors.AsType[*place.SourceError](err); !ok || !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want a SourceError of EIO", err)
	}
	wantTree(t, out, "")
}

func TestCancelDuringCopy(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<16)
	out := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	d := new(place.Placer).Deliver(openRoot(t, out), place.Auto)
	defer d.Discard()
	src := &brokenFile{File: stored(t, t.TempDir(), content), from: 300 << 10, then: cancel}
	_, err := d.File(ctx, src, output("f", content))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	wantTree(t, out, "")
}

func TestSourceOutsideTheSystem(t *testing.T) {
	mem := vfs.NewMem("/")
	f, err := mem.OpenFile("/f", os.O_RDWR|os.O_CREATE, 0o444)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte("content")); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Link)
	o := output("f", "content")
	o.Mode = 0o444
	if how, err := d.File(t.Context(), f, o); err != nil || how != place.Copied {
		t.Errorf("got %v, %v; want copied", how, err)
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "f=content")

	d = new(place.Placer).Deliver(openRoot(t, out), place.Clone)
	defer d.Discard()
	if _, err := d.File(t.Context(), f, o); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Clone of a file in memory: %v, want ErrUnsupported", err)
	}
}

func TestManyFiles(t *testing.T) {
	out := t.TempDir()
	d := new(place.Placer).Deliver(openRoot(t, out), place.Copy)
	src := stored(t, t.TempDir(), "same")
	var want []string
	for _, dir := range []string{"a", "b", "a", "c/d", "b"} { // folders come back after others
		for _, base := range []string{"1", "2", "3"} {
			if _, err := d.File(t.Context(), src, output(dir+"/"+base, "same")); err != nil {
				t.Fatal(err)
			}
			want = append(want, dir+"/"+base)
		}
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if b, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name))); err != nil || string(b) != "same" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if strings.Contains(tree(t, out), place.TempPrefix) {
		t.Errorf("temporary names are left: %s", tree(t, out))
	}
}
