package lifecycle_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

func writeProgram(t *testing.T, dir, name string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, nil, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindExecutable(t *testing.T) {
	a, b, c := t.TempDir(), t.TempDir(), t.TempDir()
	writeProgram(t, b, "tool.exe", 0o700)
	inC := writeProgram(t, c, "tool.exe", 0o700)
	if err := os.Mkdir(filepath.Join(a, "tool.exe"), 0o700); err != nil {
		t.Fatal(err)
	}
	list := string(filepath.ListSeparator)
	for _, test := range []struct {
		name string
		o    lifecycle.FindOptions
		want string
		said []string
	}{
		{"in the list", lifecycle.FindOptions{Dirs: []string{a, c, b}}, inC, nil},
		{"in the path", lifecycle.FindOptions{Path: a + list + c + list + b}, inC, nil},
		{"list before path", lifecycle.FindOptions{Dirs: []string{c}, Path: b}, inC, nil},
		{"nowhere", lifecycle.FindOptions{Dirs: []string{a}}, "", []string{a, "not a regular file"}},
		{"current folder", lifecycle.FindOptions{Dirs: []string{".", ""}, Path: list + "."}, "",
			[]string{"not an absolute folder"}},
		{"missing folder", lifecycle.FindOptions{Path: filepath.Join(a, "no")}, "", []string{"no"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(b) // which has one
			got, err := lifecycle.FindExecutable("tool.exe", &test.o)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Fatalf("found %q, %v; want %q", got, err, test.want)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("error %v is no ErrNotExist", err)
			}
			for _, said := range test.said {
				if !strings.Contains(err.Error(), said) {
					t.Errorf("error %q does not say %q", err, said)
				}
			}
		})
	}
}

func TestFindExecutableBeside(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err = filepath.EvalSymlinks(self)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(self)
	if got, err := lifecycle.FindExecutable(name, nil); got != self {
		t.Errorf("beside this program: %q, %v; want %q", got, err, self)
	}
	o := &lifecycle.FindOptions{NotBeside: true}
	if got, err := lifecycle.FindExecutable(name, o); err == nil {
		t.Errorf("nowhere to look, and yet found %q", got)
	}
}

func TestFindExecutableName(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "a")
	if err := os.Mkdir(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	b := writeProgram(t, inner, "b.exe", 0o700)
	for _, name := range []string{"", ".", "..", "a/b.exe", "../a/b.exe", b, dir} {
		o := &lifecycle.FindOptions{Dirs: []string{dir, inner}}
		if got, err := lifecycle.FindExecutable(name, o); err == nil {
			t.Errorf("name %q found %q", name, got)
		}
	}
}

// playFinder prints what it finds beside itself.
func playFinder(args []string) int {
	path, err := lifecycle.FindExecutable(args[0], nil)
	if err != nil {
		path = err.Error()
	}
	os.Stdout.WriteString(path + "\n")
	return 0
}
