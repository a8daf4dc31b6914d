package place_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/vfs"
)

// elsewhere is a folder on another device than the tests' own.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "place")
	if err != nil {
		t.Skipf("no second device: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if device(t, dir) == device(t, t.TempDir()) {
		t.Skip("/dev/shm is on the device of the temporary folder")
	}
	return dir
}

func device(t *testing.T, name string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Dev
}

func TestOtherDevice(t *testing.T) {
	far := elsewhere(t)
	src := stored(t, t.TempDir(), "content")
	var p place.Placer
	for i := range 2 {
		if how := link(t, &p, src, far, linkable("f", "content")); how != place.Copied {
			t.Errorf("%v, want copied", how)
		}
		if i == 0 && p.Pairs() == 0 {
			t.Error("the pair was not demoted")
		}
	}
	if how := link(t, &p, src, t.TempDir(), linkable("f", "content")); how != place.Linked {
		t.Errorf("%v on the same device, want linked", how)
	}
	d := p.Deliver(openRoot(t, far), place.Clone)
	defer d.Discard()
	if _, err := d.File(t.Context(), src, output("g", "content")); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Clone between devices: %v, want ErrUnsupported", err)
	}
	wantTree(t, far, "f=content")
}

func TestTakeFromOtherDevice(t *testing.T) {
	far, near := elsewhere(t), t.TempDir()
	var h bytes.Buffer
	got, err := new(place.Placer).Take(t.Context(), vfs.OS{}, filepath.Join(near, "dst"), write(t, far, "src", "content"), &h)
	if err != nil || got.How != place.Copied || h.String() != "content" {
		t.Errorf("got %+v, %v, hashed %q", got, err, h.String())
	}
	wantTree(t, far, "")
	wantContent(t, filepath.Join(near, "dst"), "content", 0o600)
}

// TestPipeIn would hang if a pipe were opened as a file is.
func TestPipeIn(t *testing.T) {
	for name, bring := range ways(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Skipf("cannot make a pipe here: %v", err)
			}
			_, err := bring(new(place.Placer), new(bytes.Buffer), vfs.OS{}, filepath.Join(dir, "dst"), pipe)
			if !errors.Is(err, place.ErrNotRegular) {
				t.Errorf("got %v, want ErrNotRegular", err)
			}
		})
	}
}

// TestOddFile: it claims size 0 and has content, which the store must not take for an empty file.
func TestOddFile(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "dst")
	_, err := new(place.Placer).Import(t.Context(), vfs.OS{}, dst, "/proc/self/status", nil)
	if !errors.Is(err, place.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
}

// TestUmaskDoesNotApply is about files; new folders keep to it.
func TestUmaskDoesNotApply(t *testing.T) {
	out := t.TempDir()
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	d := new(place.Placer).Deliver(openRoot(t, out), place.Copy)
	o := output("x/f", "")
	o.Mode = 0o755
	if err := errors.Join(d.Bytes(nil, o), d.Commit()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"x/f": 0o755, "x": 0o700} {
		if fi, err := os.Stat(filepath.Join(out, name)); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s has %v, %v; want %v", name, fi, err, want)
		}
	}
}

// TestFolderTakenBack has another delivery make the folder, and fail once this one has opened it.
func TestFolderTakenBack(t *testing.T) {
	out := t.TempDir()
	root := openRoot(t, out)
	other := new(place.Placer).Deliver(root, place.Copy)
	stage(t, other, "x/y/a")
	p := place.WithAnswers(place.Answers{Clone: func(*os.Root, string, *os.File) error {
		if err := other.Discard(); err != nil {
			t.Error(err)
		}
		return syscall.EXDEV
	}})
	d := p.Deliver(root, place.Auto)
	stage(t, d, "x/y/b")
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, "x/ x/y/ x/y/b=new x/y/b")
}

// TestStagedNames: nobody can guess them and put a file of their own there first, and they can be
// told from outputs.
func TestStagedNames(t *testing.T) {
	var seen []string
	for range 2 {
		out := t.TempDir()
		d := new(place.Placer).Deliver(openRoot(t, out), place.Copy)
		stage(t, d, "f")
		list, err := os.ReadDir(out)
		if err != nil || len(list) != 1 || !strings.HasPrefix(list[0].Name(), place.TempPrefix) {
			t.Fatalf("staged %v, %v", list, err)
		}
		if fi, err := list[0].Info(); err != nil || fi.Mode().Perm() != 0o644 {
			t.Errorf("staged with %v, %v", fi, err)
		}
		seen = append(seen, list[0].Name())
		if err := d.Discard(); err != nil {
			t.Error(err)
		}
	}
	if slices.Equal(seen[:1], seen[1:]) || len(seen[0]) < len(place.TempPrefix)+26 {
		t.Errorf("staged names can be guessed: %q", seen)
	}
}
