package index_test

import (
	"errors"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/internal/vfs"
)

// FuzzTable changes the newest table and makes its checksums right again: whatever it says then, nothing panics or hangs, and
// what is no index is ErrDamaged.
func FuzzTable(f *testing.F) {
	f.Add(uint16(0), []byte("x"), uint16(0))
	f.Add(uint16(24), []byte{255, 255, 255}, uint16(0))
	f.Add(uint16(4094), []byte{0, 0}, uint16(0))
	f.Add(uint16(48), []byte{0, 0, 0, 0, 0, 1, 0, 0}, uint16(0)) // 2^40 records
	f.Add(uint16(60), []byte{255, 255, 255}, uint16(2))          // the first child of the last inner page
	all := historyOps()
	files, name := oneTable(f, all)
	f.Add(uint16(60), []byte{byte(len(files[name])/index.PageSize - 3)}, uint16(2)) // itself
	f.Fuzz(func(t *testing.T, at uint16, change []byte, page uint16) {
		mem := with(t, files, name, func(b []byte) []byte {
			pages := len(b) / index.PageSize
			from := (pages-1-int(page)%pages)*index.PageSize + int(at)%index.PageSize
			copy(b[from:], change)
			index.Seal(b)
			return b
		})
		x, err := index.OpenSmall(mem, folder)
		if err == nil {
			for i := range historyKeys / 10 {
				if _, _, gerr := x.Get(key('k', 10*i), nil); gerr != nil {
					err = gerr
				}
			}
			for _, serr := range x.Scan(nil, nil) {
				if serr != nil {
					err = serr
				}
			}
			for range 2 { // which brings a merge
				if aerr := errors.Join(x.Apply(all, set([]byte("last"), "")), x.Merge(false)); aerr != nil {
					err = aerr
				}
			}
			x.Close()
		}
		if err != nil && !errors.Is(err, index.ErrDamaged) {
			t.Error(err)
		}
	})
}

func historyOps() (ops []index.Op) {
	for i := range historyKeys {
		ops = append(ops, index.Op{Key: key('k', i), Value: make([]byte, 50+i)})
	}
	return ops
}

// oneTable is an index of one table with inner pages.
func oneTable(t testing.TB, ops []index.Op) (files map[string][]byte, name string) {
	mem := vfs.NewMem(folder)
	x := openSmall(t, mem)
	apply(t, x, ops...)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	files = readAll(t, mem)
	for name = range files {
	}
	return files, name
}

// TestGetAllocatesNothing once what leads to a leaf is in memory.
func TestGetAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes pools forget")
	}
	x := openSmall(t, vfs.NewMem(folder))
	h := newHistory(testkit.Rand(t), 30)
	for _, ops := range h.changes {
		apply(t, x, ops...)
	}
	buf, keys := make([]byte, 0, 512), [][]byte{key('k', 1), key('k', 2), key('x', 1)}
	n := testing.AllocsPerRun(1000, func() {
		for _, k := range keys {
			if _, _, err := x.Get(k, buf); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
