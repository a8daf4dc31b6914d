package place_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/vfs"
)

// bringIn is Import or Take.
type bringIn func(*place.Placer, *bytes.Buffer, vfs.FS, string, string) (place.Taken, error)

func ways(t *testing.T) map[string]bringIn {
	return map[string]bringIn{
		"import": func(p *place.Placer, h *bytes.Buffer, fsys vfs.FS, dst, src string) (place.Taken, error) {
			return p.Import(t.Context(), fsys, dst, src, h)
		},
		"take": func(p *place.Placer, h *bytes.Buffer, fsys vfs.FS, dst, src string) (place.Taken, error) {
			return p.Take(t.Context(), fsys, dst, src, h)
		},
	}
}

func TestBringIn(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for name, bring := range ways(t) {
		for _, content := range []string{"", "content", big} {
			for _, mode := range []fs.FileMode{0o644, 0o755, 0o444} {
				t.Run(name, func(t *testing.T) {
					dir := t.TempDir()
					src, dst := write(t, dir, "src", content), filepath.Join(dir, "dst")
					if err := os.Chmod(src, mode); err != nil {
						t.Fatal(err)
					}
					var h bytes.Buffer
					got, err := bring(new(place.Placer), &h, vfs.OS{}, dst, src)
					if err != nil {
						t.Fatal(err)
					}
					if got.Size != int64(len(content)) || got.Mode != portable(mode) || h.String() != content {
						t.Errorf("got %+v and %d hashed bytes", got, h.Len())
					}
					wantContent(t, dst, content, 0o600)
					switch _, err := os.Lstat(src); {
					case name == "import" && err != nil:
						t.Error(err)
					case name == "take" && (!errors.Is(err, fs.ErrNotExist) || got.How != place.Renamed):
						t.Errorf("source after Take: %v; %v", err, got.How)
					}
				})
			}
		}
	}
}

func wantContent(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil || string(b) != content {
		t.Errorf("%s holds %d bytes, %v; want %d", filepath.Base(name), len(b), err, len(content))
	}
	wantModeAndTime(t, name, mode, time.Time{}, time.Time{})
}

func TestBringInWithoutHash(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	got, err := new(place.Placer).Import(t.Context(), vfs.OS{}, a, write(t, dir, "src", "content"), nil)
	if err != nil || got.Size != 7 {
		t.Fatal(got, err)
	}
	got, err = new(place.Placer).Take(t.Context(), vfs.OS{}, b, filepath.Join(dir, "src"), nil)
	if err != nil || got.Size != 7 {
		t.Fatal(got, err)
	}
	wantTree(t, dir, "a=content b=content")
}

func TestImportClones(t *testing.T) {
	var n calls
	p, dir := placerThat(&n, nil, nil), t.TempDir()
	var h bytes.Buffer
	got, err := p.Import(t.Context(), vfs.OS{}, filepath.Join(dir, "dst"), write(t, dir, "src", "content"), &h)
	if err != nil || got.How != place.Cloned || got.Size != 7 || h.String() != "content" {
		t.Errorf("got %+v, %v, hashed %q", got, err, h.String())
	}
	wantTree(t, dir, "dst=content src=content")
	wantContent(t, filepath.Join(dir, "dst"), "content", 0o600)

	n = calls{}
	p = placerThat(&n, syscall.EXDEV, nil)
	for _, dst := range []string{"dst2", "dst3"} {
		got, err = p.Import(t.Context(), vfs.OS{}, filepath.Join(dir, dst), filepath.Join(dir, "src"), nil)
		if err != nil || got.How != place.Copied {
			t.Errorf("got %+v, %v; want copied", got, err)
		}
	}
	if n.clones != 1 {
		t.Errorf("asked %d times, want once", n.clones)
	}
}

func TestBringInRefuses(t *testing.T) {
	for name, bring := range ways(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, src := range []string{"", "missing"} {
				_, err := bring(new(place.Placer), new(bytes.Buffer), vfs.OS{}, filepath.Join(dir, "dst"), filepath.Join(dir, src))
				want := fs.ErrNotExist
				if src == "" { // a folder
					want = place.ErrNotRegular
				}
				if !errors.Is(err, want) {
					t.Errorf("source %q: got %v, want %v", src, err, want)
				}
			}
			wantTree(t, dir, "")
		})
	}
}

func TestImportDoesNotOverwrite(t *testing.T) {
	dir := t.TempDir()
	dst := write(t, dir, "dst", "theirs")
	_, err := new(place.Placer).Import(t.Context(), vfs.OS{}, dst, write(t, dir, "src", "content"), nil)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	wantTree(t, dir, "dst=theirs src=content")
}

func TestSymbolicLinkIn(t *testing.T) {
	dir := t.TempDir()
	src := write(t, dir, "src", "content")
	symlink(t, src, filepath.Join(dir, "l"))
	_, err := new(place.Placer).Take(t.Context(), vfs.OS{}, filepath.Join(dir, "dst"), filepath.Join(dir, "l"), nil)
	if !errors.Is(err, place.ErrNotRegular) {
		t.Errorf("Take of a link: %v, want ErrNotRegular", err)
	}
	if _, err := new(place.Placer).Import(t.Context(), vfs.OS{}, filepath.Join(dir, "dst"), filepath.Join(dir, "l"), nil); err != nil {
		t.Error(err)
	}
	wantContent(t, filepath.Join(dir, "dst"), "content", 0o600)
}

func TestTakeOfSharedFile(t *testing.T) {
	dir := t.TempDir()
	src := write(t, dir, "src", "content")
	if err := os.Link(src, filepath.Join(dir, "other")); err != nil {
		t.Skipf("cannot link here: %v", err)
	}
	_, err := new(place.Placer).Take(t.Context(), vfs.OS{}, filepath.Join(dir, "dst"), src, nil)
	if !errors.Is(err, place.ErrShared) {
		t.Errorf("got %v, want ErrShared", err)
	}
	wantTree(t, dir, "other=content src=content")
}

// hooked runs a step before or after a rename, as another process might.
type hooked struct {
	vfs.FS
	before, after func()
}

func (h hooked) Rename(from, to string) error {
	if h.before != nil {
		h.before()
	}
	err := h.FS.Rename(from, to)
	if h.after != nil {
		h.after()
	}
	return err
}

// TestTakeSeesLateLink: a link made between the check and the rename.
func TestTakeSeesLateLink(t *testing.T) {
	dir := t.TempDir()
	src, once := write(t, dir, "src", "content"), false
	fsys := hooked{FS: vfs.OS{}, before: func() {
		if !once {
			once = true
			if err := os.Link(src, filepath.Join(dir, "other")); err != nil {
				t.Skipf("cannot link here: %v", err)
			}
		}
	}}
	_, err := new(place.Placer).Take(t.Context(), fsys, filepath.Join(dir, "dst"), src, nil)
	if !errors.Is(err, place.ErrShared) {
		t.Errorf("got %v, want ErrShared", err)
	}
	wantTree(t, dir, "other=content src=content")
}

func TestTakeSeesLateSymbolicLink(t *testing.T) {
	dir := t.TempDir()
	secret, src, once := write(t, dir, "secret", "secret"), write(t, dir, "src", "content"), false
	fsys := hooked{FS: vfs.OS{}, before: func() {
		if !once {
			once = true
			if err := os.Remove(src); err != nil {
				t.Error(err)
			}
			symlink(t, secret, src)
		}
	}}
	var h bytes.Buffer
	_, err := new(place.Placer).Take(t.Context(), fsys, filepath.Join(dir, "dst"), src, &h)
	if !errors.Is(err, place.ErrNotRegular) || h.Len() != 0 {
		t.Errorf("got %v with %q hashed, want ErrNotRegular", err, h.String())
	}
	wantTree(t, dir, "secret=secret src->"+filepath.ToSlash(secret))
}

// TestCancelledTakeGivesBack, also when the source's name has been used again meanwhile.
func TestCancelledTakeGivesBack(t *testing.T) {
	for _, again := range []bool{false, true} {
		dir := t.TempDir()
		src := write(t, dir, "src", "content")
		ctx, cancel := context.WithCancel(t.Context())
		want := "src=content"
		fsys := hooked{FS: vfs.OS{}, after: cancel}
		if again {
			fsys.after = sync.OnceFunc(func() { cancel(); write(t, dir, "src", "newer") })
			want = "src=newer"
		}
		_, err := new(place.Placer).Take(ctx, fsys, filepath.Join(dir, "dst"), src, new(bytes.Buffer))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		wantTree(t, dir, want)
	}
}

// cancelling ends a context in the middle of hashing.
type cancelling struct{ cancel context.CancelFunc }

func (c cancelling) Write(p []byte) (int, error) { c.cancel(); return len(p), nil }

func TestCancelledImport(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	for name, clone := range map[string]error{"clone": nil, "copy": syscall.EXDEV} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			p := placerThat(new(calls), clone, nil)
			_, err := p.Import(ctx, vfs.OS{}, filepath.Join(dir, "dst"), write(t, dir, "src", big), cancelling{cancel})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			wantTree(t, dir, "src="+big)
		})
	}
}

// writing changes the source in the middle of a copy.
type writing struct{ do func() }

func (w *writing) Write(p []byte) (int, error) {
	if w.do != nil {
		w.do()
		w.do = nil
	}
	return len(p), nil
}

func TestImportOfChangingFile(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16)
	cases := map[string]func(src string) error{
		"grows":   func(src string) error { return os.WriteFile(src, []byte(big+big), 0o644) },
		"shrinks": func(src string) error { return os.Truncate(src, 1<<19) },
		"grows and says nothing": func(src string) error {
			fi, err := os.Stat(src)
			if err == nil {
				err = os.WriteFile(src, []byte(big+big), 0o644)
			}
			if err == nil {
				err = os.Chtimes(src, time.Time{}, fi.ModTime())
			}
			return err
		},
		"time": func(src string) error { return os.Chtimes(src, longAgo, longAgo) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			src := write(t, dir, "src", big)
			p := placerThat(new(calls), syscall.EXDEV, nil)
			dst := filepath.Join(dir, "dst")
			_, err := p.Import(t.Context(), vfs.OS{}, dst, src, &writing{do: func() {
				if err := change(src); err != nil {
					t.Error(err)
				}
			}})
			if !errors.Is(err, place.ErrChanged) {
				t.Errorf("got %v, want ErrChanged", err)
			}
			if _, err := os.Lstat(dst); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the copy is there: %v", err)
			}
		})
	}
}

// TestImportOfFileThatKeepsGrowing: who writes as fast as it is read must not fill the store's volume.
func TestImportOfFileThatKeepsGrowing(t *testing.T) {
	dir := t.TempDir()
	src, dst := write(t, dir, "src", strings.Repeat("0123456789abcdef", 1<<16)), filepath.Join(dir, "dst")
	out, err := os.OpenFile(src, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	more := bytes.Repeat([]byte("more"), 1<<17)
	read := 0
	_, err = placerThat(new(calls), syscall.EXDEV, nil).Import(t.Context(), vfs.OS{}, dst, src, writerFunc(func(p []byte) {
		if read += len(p); read < 16<<20 {
			if _, err := out.Write(more); err != nil {
				t.Error(err)
			}
		}
	}))
	if !errors.Is(err, place.ErrChanged) {
		t.Errorf("got %v, want ErrChanged", err)
	}
	if read > 1<<20+1 {
		t.Errorf("%d bytes were copied of a file that had %d", read, 1<<20)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// renameAcross answers every rename as between two volumes.
func renameAcross(fsys vfs.FS) vfs.FS {
	return vfs.NewFaults(fsys, vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpRename }, vfs.Fault{Err: syscall.EXDEV}))
}

func TestTakeAcrossVolumes(t *testing.T) {
	dir := t.TempDir()
	var h bytes.Buffer
	got, err := new(place.Placer).Take(t.Context(), renameAcross(vfs.OS{}), filepath.Join(dir, "dst"), write(t, dir, "src", "content"), &h)
	if err != nil || got.How != place.Copied || got.Size != 7 || h.String() != "content" {
		t.Errorf("got %+v, %v, hashed %q", got, err, h.String())
	}
	wantTree(t, dir, "dst=content")
}

func TestTakeAcrossVolumesCannotRemove(t *testing.T) {
	dir := t.TempDir()
	src := write(t, dir, "src", "content")
	stuck := vfs.NewFaults(vfs.OS{}, vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpRemove && o.Path == src }, vfs.Fault{Err: syscall.EPERM}))
	_, err := new(place.Placer).Take(t.Context(), renameAcross(stuck), filepath.Join(dir, "dst"), src, nil)
	if !errors.Is(err, syscall.EPERM) {
		t.Errorf("got %v, want EPERM", err)
	}
	wantTree(t, dir, "src=content")
}

func TestBringInOnMem(t *testing.T) {
	for name, bring := range ways(t) {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem("/in", "/tmp")
			f, err := mem.OpenFile("/in/src", os.O_RDWR|os.O_CREATE, 0o755)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Write([]byte("content"))
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			var h bytes.Buffer
			got, err := bring(new(place.Placer), &h, mem, "/tmp/dst", "/in/src")
			if err != nil || got.Size != 7 || got.Mode != 0o755 || h.String() != "content" {
				t.Errorf("got %+v, %v, hashed %q", got, err, h.String())
			}
			fi, err := mem.Lstat("/tmp/dst")
			if err != nil || fi.Size() != 7 || fi.Mode().Perm() != 0o600 {
				t.Errorf("destination: %v, %v", fi, err)
			}
			if _, err := mem.Lstat("/in/src"); (err == nil) != (name == "import") {
				t.Errorf("source: %v", err)
			}
		})
	}
}

// TestImportDiskFull: a failed write leaves no destination behind.
func TestImportDiskFull(t *testing.T) {
	dir := t.TempDir()
	full := vfs.NewFaults(vfs.OS{}, vfs.When(func(o vfs.Op) bool { return o.Kind == vfs.OpWrite }, vfs.Fault{Err: syscall.ENOSPC, Partial: 3}))
	_, err := new(place.Placer).Import(t.Context(), full, filepath.Join(dir, "dst"), write(t, dir, "src", "content"), nil)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	wantTree(t, dir, "src=content")
}
