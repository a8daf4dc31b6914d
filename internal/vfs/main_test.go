package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

// must ends the test on an error of a step that is not itself under test.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, fsys vfs.FS, name string, flag int) vfs.File {
	t.Helper()
	f, err := fsys.OpenFile(name, flag, 0o644)
	must(t, err)
	return f
}

// write makes or replaces a file, not durable.
func write(t testing.TB, fsys vfs.FS, name, content string) {
	t.Helper()
	f := open(t, fsys, name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	_, err := io.WriteString(f, content)
	must(t, errors.Join(err, f.Close()))
}

// writeSync makes or replaces a file with durable bytes; its name is not durable.
func writeSync(t testing.TB, fsys vfs.FS, name, content string) {
	t.Helper()
	write(t, fsys, name, content)
	f := open(t, fsys, name, os.O_WRONLY)
	must(t, errors.Join(f.Sync(), f.Close()))
}

// read returns a file's content, or "absent".
func read(t testing.TB, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	must(t, err)
	defer f.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(f)
	must(t, err)
	return b.String()
}

func size(t testing.TB, fsys vfs.FS, name string) int {
	t.Helper()
	fi, err := fsys.Lstat(name)
	must(t, err)
	return int(fi.Size())
}

func parse(t testing.TB, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	must(t, err)
	return n
}
