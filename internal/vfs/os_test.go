package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/internal/vfs"
)

// What all systems have in common, in Mem too.
func TestFS(t *testing.T) {
	for _, tc := range []struct {
		name string
		fsys vfs.FS
		dir  string
	}{
		{"OS", vfs.OS{}, t.TempDir()},
		{"Mem", vfs.NewMem("/store"), "/store"},
		{"Faults", vfs.NewFaults(vfs.NewMem("/store"), nil), "/store"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := func(name string) string { return filepath.Join(tc.dir, name) }
			t.Run("read-only files", func(t *testing.T) { readOnly(t, tc.fsys, in) })
			t.Run("errors", func(t *testing.T) { commonErrors(t, tc.fsys, in) })
			t.Run("portions", func(t *testing.T) { portions(t, tc.fsys, in) })
			t.Run("free", func(t *testing.T) {
				if n, err := tc.fsys.Free(tc.dir); n <= 0 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			})
		})
	}
}

// portions lists a folder in portions.
func portions(t *testing.T, fsys vfs.FS, in func(string) string) {
	must(t, fsys.Mkdir(in("many"), 0o777))
	for i := range 7 {
		write(t, fsys, in("many/"+strconv.Itoa(i)), "")
	}
	d := open(t, fsys, in("many"), os.O_RDONLY)
	var sizes, names []string
	for {
		list, err := d.ReadDir(3)
		for _, e := range list {
			names = append(names, e.Name())
		}
		if err == io.EOF {
			break
		}
		must(t, err)
		sizes = append(sizes, strconv.Itoa(len(list)))
	}
	must(t, d.Close())
	slices.Sort(names)
	if got := strings.Join(sizes, " ") + ": " + strings.Join(names, ""); got != "3 3 1: 0123456" {
		t.Error(got)
	}
	f := open(t, fsys, in("many/0"), os.O_RDONLY)
	if list, err := f.ReadDir(3); err == nil || err == io.EOF {
		t.Errorf("list of a file: %v, %v", list, err)
	}
	must(t, f.Close())
}

func readOnly(t *testing.T, fsys vfs.FS, in func(string) string) {
	for _, name := range []string{"a", "b"} {
		f, err := fsys.OpenFile(in(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
		must(t, err)
		_, err = io.WriteString(f, name)
		must(t, errors.Join(err, f.Sync(), f.Close()))
	}
	if got := read(t, fsys, in("b")); got != "b" {
		t.Errorf("written while read-only: %q", got)
	}
	must(t, fsys.Rename(in("a"), in("b")))
	if a, b := read(t, fsys, in("a")), read(t, fsys, in("b")); a != "absent" || b != "a" {
		t.Errorf("renamed over a read-only file: a is %s, b is %s", a, b)
	}
	if fi, err := fsys.Lstat(in("b")); err != nil || fi.Mode() != 0o444 {
		t.Errorf("mode: %v, %v", fi.Mode(), err)
	}
	must(t, fsys.Remove(in("b")))
	must(t, fsys.SyncDir(in("")))
}

func commonErrors(t *testing.T, fsys vfs.FS, in func(string) string) {
	write(t, fsys, in("file"), "x")
	must(t, fsys.Mkdir(in("full"), 0o755))
	write(t, fsys, in("full/file"), "x")
	open := func(name string, flag int) error {
		f, err := fsys.OpenFile(in(name), flag, 0o644)
		if err == nil {
			f.Close()
		} else if f != nil {
			t.Errorf("open %s: a file with the error %v", name, err)
		}
		return err
	}
	_, lstat := fsys.Lstat(in("none"))
	_, readdir := fsys.ReadDir(in("none"))
	_, free := fsys.Free(in("none"))
	for _, tc := range []struct {
		call string
		err  error
		want error // nil: any
	}{
		{"open missing", open("none", os.O_RDONLY), fs.ErrNotExist},
		{"open below missing", open("none/file", os.O_RDWR|os.O_CREATE), fs.ErrNotExist},
		{"create existing", open("file", os.O_RDWR|os.O_CREATE|os.O_EXCL), fs.ErrExist},
		{"write folder", open("full", os.O_RDWR), nil},
		{"mkdir existing", fsys.Mkdir(in("full"), 0o755), fs.ErrExist},
		{"mkdir below missing", fsys.Mkdir(in("none/dir"), 0o755), fs.ErrNotExist},
		{"remove missing", fsys.Remove(in("none")), fs.ErrNotExist},
		{"remove full", fsys.Remove(in("full")), nil},
		{"rename missing", fsys.Rename(in("none"), in("other")), fs.ErrNotExist},
		{"rename over folder", fsys.Rename(in("file"), in("full")), nil},
		{"sync missing", fsys.SyncDir(in("none")), fs.ErrNotExist},
		{"sync file", fsys.SyncDir(in("file")), nil},
		{"lstat missing", lstat, fs.ErrNotExist},
		{"list missing", readdir, fs.ErrNotExist},
		{"free of missing", free, fs.ErrNotExist},
	} {
		if tc.err == nil || tc.want != nil && !errors.Is(tc.err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.call, tc.err, tc.want)
		}
		if vfs.IsNoSpace(tc.err) || vfs.IsReadOnly(tc.err) {
			t.Errorf("%s: %v is taken for another cause", tc.call, tc.err)
		}
	}
	if got := read(t, fsys, in("full/file")); got != "x" {
		t.Errorf("after all errors the file is %s", got)
	}
}

func TestErrorCauses(t *testing.T) {
	for _, tc := range []struct {
		err               error
		noSpace, readOnly bool
	}{
		{nil, false, false},
		{io.EOF, false, false},
		{syscall.EIO, false, false},
		{&fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}, true, false},
		{&os.LinkError{Op: "rename", Err: syscall.EROFS}, false, true},
	} {
		if n, r := vfs.IsNoSpace(tc.err), vfs.IsReadOnly(tc.err); n != tc.noSpace || r != tc.readOnly {
			t.Errorf("%v: %v, %v", tc.err, n, r)
		}
	}
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no device here that is always full")
	}
	defer f.Close()
	if _, err := f.Write([]byte("x")); !vfs.IsNoSpace(err) {
		t.Errorf("full device: %v", err)
	}
}

func TestFreeHasALimit(t *testing.T) {
	for _, tc := range []struct {
		blocks, size uint64
		want         int64
	}{
		{0, 4096, 0},
		{5, 0, 0},
		{5, 4096, 20480},
		{1 << 51, 4096, math.MaxInt64},
		{1<<51 - 1, 4096, math.MaxInt64 - 4095},
		{math.MaxUint64, 1, math.MaxInt64},
	} {
		if got := vfs.Product(tc.blocks, tc.size); got != tc.want {
			t.Errorf("%d blocks of %d bytes: %d, want %d", tc.blocks, tc.size, got, tc.want)
		}
	}
}

// TestLost tells what is lost from what cannot be had now.
func TestLost(t *testing.T) {
	_, missing := os.Open(filepath.Join(t.TempDir(), "missing"))
	for err, lost := range map[error]bool{
		missing: true, &fs.PathError{Err: syscall.EIO}: true,
		&fs.PathError{Err: syscall.EMFILE}: false, &fs.PathError{Err: syscall.EACCES}: false, errors.New("other"): false,
	} {
		if vfs.IsLost(err) != lost {
			t.Errorf("%v: lost is %v", err, !lost)
		}
	}
}
