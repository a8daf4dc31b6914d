package gocacheprog_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

var bodySizes = []int{0, 1, 1000, gocacheprog.MaxInMemory, gocacheprog.MaxInMemory + 1, 2 << 20}

// With a store that fails every call, at any point, puts succeed, the session itself
// answers gets for them, and the paths outlive it.
func TestFailingStore(t *testing.T) {
	for name, open := range map[string]gocacheprog.Opener{
		"not opened": func(context.Context) (gocacheprog.Store, error) { return nil, errBroken },
		"at once":    gocacheprog.Opened(failing(0)),
		"half-way":   gocacheprog.Opened(failing(500)),
		"late":       gocacheprog.Opened(failing(gocacheprog.MaxInMemory + 1)),
		"at the end": gocacheprog.Opened(failing(1 << 40)),
	} {
		t.Run(name, func(t *testing.T) {
			sessions := filepath.Join(t.TempDir(), "root", "sessions")
			c := begin(t, open, gocacheprog.Options{Sessions: sessions})
			answers := make(map[int]gocacheprog.Response)
			for i, size := range bodySizes {
				if r := c.get(action(i)); !r.Miss || r.Err != "" {
					t.Errorf("answered %+v", r)
				}
				answers[size] = c.put(action(i), content(size))
				c.wantKept(c.get(action(i)), content(size))
			}
			if err := c.end(); err != nil {
				t.Error(err)
			}
			for size, r := range answers {
				c.wantKept(r, content(size))
				if !strings.HasPrefix(r.DiskPath, sessions) {
					t.Errorf("%d bytes are kept at %s", size, r.DiskPath)
				}
			}
			if n := strings.Count(c.log.String(), "for this build only"); n != 1 {
				t.Errorf("reported %d times, want once:\n%s", n, c.log)
			}
		})
	}
}

// A store that says a put worked without having read the body is not believed.
func TestStoreThatDoesNotRead(t *testing.T) {
	c := begin(t, gocacheprog.Opened(storeFuncs{
		get: func(gocacheprog.ID) (gocacheprog.Object, error) { return gocacheprog.Object{}, nil },
		put: func(_, _ gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
			_, err := io.CopyN(io.Discard, r, 700)
			return gocacheprog.Object{Path: "/nowhere"}, err
		},
	}), gocacheprog.Options{Sessions: t.TempDir()})
	for _, size := range []int{1000, 2 << 20} {
		c.wantKept(c.put(action(1), content(size)), content(size))
	}
	if r := c.get(action(2)); !r.Miss {
		t.Errorf("an answer without a path: %+v", r)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// A file that changed between being named and being sent is not stored under its ID.
func TestChangedBody(t *testing.T) {
	store := dirStore{t.TempDir()}
	c := begin(t, gocacheprog.Opened(store), gocacheprog.Options{Sessions: t.TempDir()})
	for _, size := range []int{1000, 2 << 20} {
		c.send(c.putLine(action(1), content(size)))
		changed := bytes.Repeat([]byte("x"), size)
		c.send(bodyLine(changed))
		c.wantKept(c.answer(), changed)
		if r := c.get(action(1)); !r.Miss {
			t.Errorf("%d bytes: answered %+v", size, r)
		}
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// A store that works again takes what the session kept before.
func TestStoreComesBack(t *testing.T) {
	inner := dirStore{t.TempDir()}
	broken := true
	c := begin(t, gocacheprog.Opened(storeFuncs{
		get: func(a gocacheprog.ID) (gocacheprog.Object, error) { return inner.Get(t.Context(), a) },
		put: func(a, o gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
			if broken {
				return gocacheprog.Object{}, errBroken
			}
			return inner.Put(t.Context(), a, o, r)
		},
	}), gocacheprog.Options{Sessions: t.TempDir()})
	c.put(action(1), content(1))
	broken = false
	want := c.put(action(1), content(2)).DiskPath
	if got := c.get(action(1)).DiskPath; got != want || filepath.Dir(got) != inner.dir {
		t.Errorf("answered with %s, want %s", got, want)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// The go command moves files away that it was told of.
func TestKeptFileIsTaken(t *testing.T) {
	c := begin(t, gocacheprog.Opened(failing(0)), gocacheprog.Options{Sessions: t.TempDir()})
	os.Remove(c.put(action(1), content(5)).DiskPath)
	if r := c.get(action(1)); !r.Miss {
		t.Errorf("answered %+v", r)
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// When the folder of the options cannot be used, the system's temporary folder is.
func TestSessionFallsBackToTemp(t *testing.T) {
	temp := t.TempDir()
	setTemp(t, temp)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sessions := range []string{"", file, filepath.Join(file, "below")} {
		c := begin(t, gocacheprog.Opened(failing(0)), gocacheprog.Options{Sessions: sessions})
		for _, size := range bodySizes {
			r := c.put(action(1), content(size))
			c.wantKept(r, content(size))
			if !strings.HasPrefix(r.DiskPath, temp) {
				t.Errorf("sessions in %q: kept at %s", sessions, r.DiskPath)
			}
		}
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}
}

// A session folder that goes away half-way is replaced.
func TestSessionFolderGoes(t *testing.T) {
	setTemp(t, t.TempDir())
	c := begin(t, gocacheprog.Opened(failing(0)), gocacheprog.Options{Sessions: t.TempDir()})
	first := c.put(action(1), content(5)).DiskPath
	if err := os.RemoveAll(filepath.Dir(first)); err != nil {
		t.Fatal(err)
	}
	c.wantKept(c.put(action(2), content(6)), content(6))
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// Only when nothing can be written is a put refused.
func TestNoFolderAtAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	setTemp(t, file)
	c := begin(t, gocacheprog.Opened(failing(0)), gocacheprog.Options{Sessions: file})
	for _, size := range bodySizes {
		if r := c.put(action(1), content(size)); r.Err == "" {
			t.Errorf("%d bytes: answered %+v", size, r)
		}
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	c = begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{Sessions: file})
	for _, size := range bodySizes {
		c.wantKept(c.put(action(1), content(size)), content(size))
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
}

// An answer is JSON, which cannot name a file whose path is not UTF-8: what stands in for it would be another file, which
// is not there.
func TestPathThatNoAnswerCanName(t *testing.T) {
	odd := gocacheprog.Object{Path: "/no\xffwhere"}
	for name, sessions := range map[string]string{"store": t.TempDir(), "sessions too": filepath.Join(t.TempDir(), "no\xffwhere")} {
		t.Run(name, func(t *testing.T) {
			setTemp(t, t.TempDir())
			c := begin(t, gocacheprog.Opened(storeFuncs{
				get: func(gocacheprog.ID) (gocacheprog.Object, error) { return odd, nil },
				put: func(_, _ gocacheprog.ID, r io.Reader) (gocacheprog.Object, error) {
					_, err := io.Copy(io.Discard, r)
					return odd, err
				},
			}), gocacheprog.Options{Sessions: sessions})
			for _, size := range bodySizes {
				c.wantKept(c.put(action(1), content(size)), content(size))
			}
			if r := c.get(action(2)); !r.Miss {
				t.Errorf("answered %+v", r)
			}
			if err := c.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A session folder that somebody removes, as cleaners of temporary files do, is made anew, however often.
func TestSessionFolderIsRemoved(t *testing.T) {
	temp := t.TempDir()
	setTemp(t, temp)
	for _, sessions := range []string{"", filepath.Join(temp, "root", "sessions")} {
		c := begin(t, gocacheprog.Opened(failing(0)), gocacheprog.Options{Sessions: sessions})
		for _, size := range bodySizes {
			c.wantKept(c.put(action(1), content(size)), content(size))
			r := c.put(action(1), content(size+1))
			c.wantKept(r, content(size+1))
			if sessions != "" && !strings.HasPrefix(r.DiskPath, sessions) {
				t.Errorf("%d bytes are kept at %s", size, r.DiskPath)
			}
			if err := os.RemoveAll(filepath.Dir(r.DiskPath)); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.end(); err != nil {
			t.Error(err)
		}
	}
}

// A session that needed no folder leaves none.
func TestNoFolderIsLeft(t *testing.T) {
	sessions := t.TempDir()
	setTemp(t, sessions)
	c := begin(t, gocacheprog.Opened(dirStore{t.TempDir()}), gocacheprog.Options{Sessions: sessions})
	for i, size := range bodySizes {
		c.put(action(i), content(size))
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(sessions); len(left) > 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

// setTemp moves the system's temporary folder.
func setTemp(t *testing.T, dir string) {
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	t.Setenv("TEMP", dir)
}
