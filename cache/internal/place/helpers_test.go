package place_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/cache/internal/place"
	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

// stored writes a read-only file, as the store keeps them, and opens it.
func stored(t *testing.T, dir, content string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(dir, "stored")
	if err != nil {
		t.Fatal(err)
	}
	name := f.Name()
	_, err = f.WriteString(content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(name, 0o444)
	}
	if err != nil {
		t.Fatal(err)
	}
	return openFile(t, name)
}

// openFile opens through a root, because that lets others delete and rename the file on Windows
// too, which a link needs.
func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// output expects content under name.
func output(name, content string) place.Output {
	return place.Output{
		Name: name, Mode: 0o644, Size: int64(len(content)), Sum: xxhash.Sum64String(content),
	}
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(p), 0o755)
	if err == nil {
		err = os.WriteFile(p, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// symlink makes a link, or skips the test where this user may not.
func symlink(t *testing.T, target, name string) {
	t.Helper()
	err := os.Symlink(target, name)
	if err == nil {
		_, err = os.Lstat(name)
	}
	if err != nil {
		t.Skipf("cannot make symbolic links here: %v", err)
	}
}

// tree lists everything below dir: "d/ d/f=content l->target".
func tree(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		line, err := describe(p, d)
		rel, _ := filepath.Rel(dir, p)
		list = append(list, filepath.ToSlash(rel)+line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

func describe(p string, d fs.DirEntry) (string, error) {
	switch {
	case d.IsDir():
		return "/", nil
	case d.Type()&fs.ModeSymlink != 0:
		to, err := os.Readlink(p)
		return "->" + filepath.ToSlash(to), err
	}
	b, err := os.ReadFile(p)
	return "=" + string(b), err
}

func wantTree(t *testing.T, dir, want string) {
	t.Helper()
	if got := tree(t, dir); got != want {
		t.Errorf("destination holds\n\t%q, want\n\t%q", got, want)
	}
}

// brokenFile is a stored file whose bytes cannot be read from some offset on.
type brokenFile struct {
	*os.File
	from int64
	err  error
	then func() // runs instead of an error, when there is one
}

func (b *brokenFile) ReadAt(p []byte, off int64) (int, error) {
	if off < b.from {
		return b.File.ReadAt(p[:min(int64(len(p)), b.from-off)], off)
	}
	if b.then == nil {
		return 0, b.err
	}
	b.then()
	return b.File.ReadAt(p, off)
}

var _ io.ReaderAt = (*brokenFile)(nil)

var longAgo = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
