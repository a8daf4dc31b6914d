package place_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/place"
)

// fakeClone stands in for a file system that can clone, and that gives clones the mode of their
// source, as macOS does.
func fakeClone(into *os.Root, name string, src *os.File) error {
	dst, err := into.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, io.NewSectionReader(src, 0, 1<<40))
	fi, serr := src.Stat()
	if err = errors.Join(err, serr, dst.Close()); err != nil {
		return err
	}
	return into.Chmod(name, fi.Mode())
}

// calls counts what was asked of the kernel.
type calls struct{ clones, links int }

// placerThat refuses clones and links with the given answers; nil lets them succeed.
func placerThat(n *calls, clone, link error) *place.Placer {
	return place.WithAnswers(place.Answers{
		Clone: func(into *os.Root, name string, src *os.File) error {
			if n.clones++; clone != nil {
				return clone
			}
			return fakeClone(into, name, src)
		},
		Link: func() error { n.links++; return link },
	})
}

// deliver places the same stored file n times in one delivery and returns how, or the first error.
func deliver(t *testing.T, p *place.Placer, m place.Mode, n int) ([]place.How, error) {
	t.Helper()
	out := t.TempDir()
	src := stored(t, t.TempDir(), "content")
	d := p.Deliver(openRoot(t, out), m)
	defer d.Discard()
	var hows []place.How
	var want []string
	for i := range n {
		name := fmt.Sprintf("%04d", i)
		o := output(name, "content")
		o.Mode = 0o444
		how, err := d.File(t.Context(), src, o)
		if err != nil {
			wantNoTemp(t, out, i)
			return nil, err
		}
		hows = append(hows, how)
		want = append(want, name+"=content")
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	wantTree(t, out, strings.Join(want, " "))
	return hows, nil
}

// wantNoTemp looks for more temporary names than files staged.
func wantNoTemp(t *testing.T, out string, staged int) {
	t.Helper()
	list, err := os.ReadDir(out)
	if err != nil || len(list) != staged {
		t.Errorf("%d files in the destination, %v; want %d", len(list), err, staged)
	}
}

func TestDemotion(t *testing.T) {
	const files = 3
	pairErrors := map[string]syscall.Errno{
		"EXDEV": syscall.EXDEV, "EOPNOTSUPP": syscall.EOPNOTSUPP, "ENOTSUP": syscall.ENOTSUP,
		"EINVAL": syscall.EINVAL, "EPERM": syscall.EPERM, "ENOSYS": syscall.ENOSYS,
	}
	fileErrors := map[string]syscall.Errno{
		"EMLINK": syscall.EMLINK, "ETXTBSY": syscall.ETXTBSY, "EAGAIN": syscall.EAGAIN,
		"EACCES": syscall.EACCES, // none of the listed ones
	}
	check := func(name string, no syscall.Errno, asked int) {
		t.Run(name, func(t *testing.T) {
			cases := []struct {
				name        string
				mode        place.Mode
				clone, link error
				how         place.How
				want        calls
			}{
				{"clone", place.Auto, no, nil, place.Copied, calls{clones: asked}},
				{"link then clone", place.Link, nil, no, place.Cloned, calls{clones: files, links: asked}},
				{"link then clone then copy", place.Link, no, no, place.Copied, calls{clones: asked, links: asked}},
			}
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					var n calls
					hows, err := deliver(t, placerThat(&n, c.clone, c.link), c.mode, files)
					if err != nil || !slices.Equal(hows, slices.Repeat([]place.How{c.how}, files)) {
						t.Errorf("got %v, %v; want all %v", hows, err, c.how)
					}
					if n != c.want {
						t.Errorf("asked the kernel %+v, want %+v", n, c.want)
					}
				})
			}
		})
	}
	for name, no := range pairErrors {
		check(name, no, 1)
	}
	for name, no := range fileErrors {
		check(name, no, files)
	}
}

func TestLinkRefusalDoesNotDemoteClone(t *testing.T) {
	var n calls
	p := placerThat(&n, nil, syscall.EXDEV)
	for range 2 {
		if hows, err := deliver(t, p, place.Auto, 1); err != nil || hows[0] != place.Cloned {
			t.Errorf("got %v, %v; want cloned", hows, err)
		}
		if hows, err := deliver(t, p, place.Link, 1); err != nil || hows[0] != place.Cloned {
			t.Errorf("got %v, %v; want cloned", hows, err)
		}
	}
	if n != (calls{clones: 4, links: 1}) {
		t.Errorf("asked the kernel %+v", n)
	}
}

func TestCloneModeFails(t *testing.T) {
	for _, no := range []syscall.Errno{syscall.EOPNOTSUPP, syscall.EAGAIN} {
		var n calls
		p := placerThat(&n, no, nil)
		if _, err := deliver(t, p, place.Clone, 1); !errors.Is(err, no) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want %v and ErrUnsupported", err, no)
		}
		if _, err := deliver(t, p, place.Clone, 1); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("second time: got %v, want ErrUnsupported", err)
		}
	}
	var n calls
	if hows, err := deliver(t, placerThat(&n, nil, nil), place.Clone, 2); err != nil || hows[1] != place.Cloned {
		t.Errorf("got %v, %v; want cloned", hows, err)
	}
}

func TestCopyModeAsksNothing(t *testing.T) {
	no := func() { t.Error("the kernel was asked") }
	p := place.WithAnswers(place.Answers{
		Clone: func(*os.Root, string, *os.File) error { no(); return syscall.EXDEV },
		Link:  func() error { no(); return syscall.EXDEV },
	})
	d := p.Deliver(openRoot(t, t.TempDir()), place.Copy)
	how, err := d.File(t.Context(), stored(t, t.TempDir(), "content"), linkable("f", "content"))
	if err = errors.Join(err, d.Commit()); err != nil || how != place.Copied {
		t.Errorf("got %v, %v; want copied", how, err)
	}
}

// TestFailureIsNoRefusal: what a copy would hit too is reported and not tried again another way.
func TestFailureIsNoRefusal(t *testing.T) {
	wrapped := &fs.PathError{Op: "open", Path: "temp", Err: syscall.EPERM} // from making the file, not from cloning
	for _, want := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS, wrapped} {
		var n calls
		p := placerThat(&n, want, nil)
		for range 2 {
			if _, err := deliver(t, p, place.Auto, 1); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		if n.clones != 2 {
			t.Errorf("%v demoted the pair", want)
		}
	}
}

func TestPairsAreApart(t *testing.T) {
	var n calls
	near, far := t.TempDir(), t.TempDir()
	p := place.WithAnswers(place.Answers{
		Clone: func(into *os.Root, name string, src *os.File) error {
			if n.clones++; into.Name() == far {
				return syscall.EXDEV
			}
			return fakeClone(into, name, src)
		},
		Device: func(f *os.File) uint64 {
			if strings.HasPrefix(f.Name(), far) {
				return 2
			}
			return 1
		},
	})
	src := stored(t, t.TempDir(), "content")
	for range 2 {
		for dir, want := range map[string]place.How{near: place.Cloned, far: place.Copied} {
			d := p.Deliver(openRoot(t, dir), place.Auto)
			if how, err := d.File(t.Context(), src, output("f", "content")); err != nil || how != want {
				t.Errorf("got %v, %v; want %v", how, err, want)
			}
			if err := d.Commit(); err != nil {
				t.Error(err)
			}
		}
	}
	if n.clones != 3 || p.Pairs() != 1 {
		t.Errorf("asked for %d clones and remembers %d pairs, want 3 and 1", n.clones, p.Pairs())
	}
}

func TestPairsAreBounded(t *testing.T) {
	var device uint64
	p := place.WithAnswers(place.Answers{
		Clone:  func(*os.Root, string, *os.File) error { return syscall.EXDEV },
		Device: func(*os.File) uint64 { device++; return device },
	})
	if _, err := deliver(t, p, place.Auto, 3*place.MaxPairs); err != nil {
		t.Fatal(err)
	}
	if p.Pairs() != place.MaxPairs {
		t.Errorf("%d pairs are remembered, want %d", p.Pairs(), place.MaxPairs)
	}
}

// TestWrongClone: a clone that differs is not shown, and does not convict a stored file that is
// sound.
func TestWrongClone(t *testing.T) {
	for name, wrong := range map[string]string{"bytes": "CONTENT", "size": "conten"} {
		t.Run(name, func(t *testing.T) {
			p := place.WithAnswers(place.Answers{Clone: func(into *os.Root, name string, _ *os.File) error {
				return into.WriteFile(name, []byte(wrong), 0o600)
			}})
			if hows, err := deliver(t, p, place.Auto, 2); err != nil || hows[1] != place.Copied {
				t.Errorf("got %v, %v; want copied", hows, err)
			}
			if _, err := deliver(t, p, place.Clone, 1); !errors.Is(err, place.ErrMismatch) {
				t.Errorf("Clone: got %v, want ErrMismatch", err)
			}
		})
	}
}
