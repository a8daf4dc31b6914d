package index_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

var (
	errIO   = syscall.EIO
	errFull = syscall.ENOSPC
)

// sound makes an index of several tables, and returns what happened to it and its files.
func sound(t *testing.T) (*history, map[string][]byte) {
	t.Helper()
	rng := testkit.Rand(t)
	for n := 41; ; n++ {
		h, mem := newHistory(rng, n), vfs.NewMem(folder)
		x := openSmall(t, mem)
		for _, ops := range h.changes {
			apply(t, x, ops...)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if files := readAll(t, mem); len(files) > 2 {
			return h, files
		}
	}
}

func readAll(t testing.TB, mem *vfs.Mem) map[string][]byte {
	t.Helper()
	entries, err := mem.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		f, err := mem.OpenFile(folder+"/"+e.Name(), os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if files[e.Name()], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return files
}

// with puts files into a tree, but for name what change makes of it.
func with(t testing.TB, files map[string][]byte, name string, change func([]byte) []byte) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem(folder)
	for other, b := range files {
		if other == name {
			b = change(append([]byte(nil), b...))
		}
		f, err := mem.OpenFile(folder+"/"+other, os.O_CREATE|os.O_WRONLY, 0o666)
		if err == nil && b != nil {
			_, err = f.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return mem
}

// TestDamageOfKnownLeaves changes leaves that look-ups have read before: each byte, and each sector to what it was in an older
// table of the same keys. What a look-up gives is the newest value.
func TestDamageOfKnownLeaves(t *testing.T) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	var keys [][]byte
	for _, text := range []string{"older", "newer"} {
		keys = keys[:0]
		var ops []index.Op
		for i := range 20 {
			k := key('k', i)
			keys, ops = append(keys, k), append(ops, set(k, text))
		}
		apply(t, x, ops...)
	}
	files := readAll(t, mem)
	names := slices.Sorted(maps.Keys(files))
	older, newer := files[names[0]], files[names[1]]
	f, err := mem.OpenFile(folder+"/"+names[1], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lookUp := func() (damaged int) {
		for _, k := range keys {
			v, ok, err := x.Get(k, nil)
			switch {
			case errors.Is(err, index.ErrDamaged):
				damaged++
			case err != nil || !ok || string(v) != "newer":
				t.Fatalf("%q, %v, %v", v, ok, err)
			}
		}
		return damaged
	}
	change := func(at int, b []byte) {
		f.WriteAt(b, int64(at))
		if lookUp() == 0 {
			t.Errorf("nobody has met %d bytes at %d", len(b), at)
		}
		f.WriteAt(newer[at:at+len(b)], int64(at))
		if lookUp() > 0 {
			t.Fatal("damage that is gone")
		}
	}
	for at := range index.PageSize {
		change(at, []byte{newer[at] ^ 1<<(at%8)})
	}
	const sector = 512
	for at := 0; at < index.PageSize; at += sector {
		if !bytes.Equal(older[at:at+sector], newer[at:at+sector]) {
			change(at, older[at:at+sector])
		}
	}
}

// TestDamageIsExact changes a bit, some bytes, or the length of each file, in each page. What the index still
// gives is right: of the newest state, or of an older one where the newest table was taken for one whose writer was killed.
func TestDamageIsExact(t *testing.T) {
	rng := testkit.Rand(t)
	h, files := sound(t)
	const some = index.PageSize / 8
	noticed := 0
	for name, b := range files {
		for at := 0; at < len(b); at += some {
			begin := at - at%index.PageSize
			changes := map[string]func([]byte) []byte{
				"bit":      func(b []byte) []byte { b[at+rng.IntN(some)] ^= 1 << rng.IntN(8); return b },
				"zero":     func(b []byte) []byte { clear(b[at : at+some]); b[at] ^= 1; return b },
				"truncate": func(b []byte) []byte { return b[:at] },
				"extend":   func(b []byte) []byte { return append(b, testkit.Bytes(rng, 1+at)...) },
				"repeat":   func(b []byte) []byte { return append(b, b[:at]...) },
				"page": func(b []byte) []byte {
					copy(b[begin:], b[:index.PageSize])
					b[at] ^= byte(begin / index.PageSize & 1)
					return b
				},
			}
			for what, change := range changes {
				x, err := index.OpenSmall(with(t, files, name, change), folder)
				if err == nil {
					_, err = h.is(x, 0, len(h.changes))
					x.Close()
				}
				if errors.Is(err, index.ErrDamaged) {
					noticed++
				} else if err != nil {
					t.Fatalf("%s of %s at %d: %v", what, name, at, err)
				}
			}
		}
	}
	if noticed == 0 {
		t.Error("no damage was noticed")
	}
}

// TestMissingTables takes files away: without the newest the index is older, and without another it is damaged.
func TestMissingTables(t *testing.T) {
	h, files := sound(t)
	newest := ""
	for name := range files {
		newest = max(newest, name)
	}
	for name := range files {
		mem := with(t, files, "", nil)
		if err := mem.Remove(folder + "/" + name); err != nil {
			t.Fatal(err)
		}
		x, err := index.OpenSmall(mem, folder)
		if name != newest {
			if !errors.Is(err, index.ErrDamaged) {
				t.Errorf("without %s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, err := h.is(x, 1, len(h.changes)-1); err != nil {
			t.Errorf("state %d: %v", n, err)
		}
		x.Close()
	}
}

// TestSwappedTables gives two tables the name of the other.
func TestSwappedTables(t *testing.T) {
	_, files := sound(t)
	for a := range files {
		for b := range files {
			if a == b {
				continue
			}
			swapped := map[string][]byte{}
			maps.Copy(swapped, files)
			swapped[a], swapped[b] = files[b], files[a]
			if _, err := index.OpenSmall(with(t, swapped, "", nil), folder); !errors.Is(err, index.ErrDamaged) {
				t.Errorf("%s and %s: %v", a, b, err)
			}
		}
	}
}

// TestForeignFiles are left alone.
func TestForeignFiles(t *testing.T) {
	names := []string{"MANIFEST", "000001.sst", "0-0.table", "0000000000000000-0000000000000000.table~",
		"0000000000000001-0000000000000000.table", "000000000000000A-000000000000000A.table"}
	files := map[string][]byte{}
	for _, name := range names {
		files[name] = []byte(name)
	}
	mem := with(t, files, "", nil)
	x := openSmall(t, mem)
	apply(t, x, set([]byte("a"), "1"))
	want(t, x, []byte("a"), "1", true)
	if entries, err := mem.ReadDir(folder); err != nil || len(entries) != len(names)+1 {
		t.Error(entries, err)
	}
}

// TestOpenErrors are damage when the device cannot read, and nothing of the kind when the process has too many
// files open.
func TestOpenErrors(t *testing.T) {
	_, files := sound(t)
	mem := with(t, files, "", nil)
	for cause, damage := range map[error]bool{errIO: true, syscall.EMFILE: false} {
		_, err := index.OpenSmall(vfs.NewFaults(mem, vfs.When(func(op vfs.Op) bool { return op.Kind == vfs.OpOpen }, vfs.Fault{Err: cause})), folder)
		if !errors.Is(err, cause) || errors.Is(err, index.ErrDamaged) != damage {
			t.Errorf("%v: %v", cause, err)
		}
	}
}
