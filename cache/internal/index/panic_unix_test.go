//go:build unix

package index_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

// breakFirstBlocks changes the count of entries in the first block of each table, in a way that no look at names, sizes
// and times can find. The engine takes the count for what it is before it compares the checksum.
func breakFirstBlocks(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	for _, path := range tables {
		ends, err := index.Blocks(path)
		must(t, err)
		b, err := os.ReadFile(path)
		must(t, err)
		end := ends[0] - 4
		sum := int(binary.BigEndian.Uint32(b[end:]))
		b[end-sum-4] = 0xff
		must(t, os.WriteFile(path, b, 0o644))
	}
	if len(tables) == 0 {
		t.Fatal("no tables")
	}
	must(t, index.Bless(dir, false))
}

// TestEnginePanics reads blocks that make the engine panic: the index is damaged, and the process lives.
func TestEnginePanics(t *testing.T) {
	reads := map[string]func(*index.Badger) error{
		"get": func(x *index.Badger) error {
			for i := range small.keys {
				if _, _, err := x.Get(key('k', i), nil); err != nil {
					return err
				}
			}
			return nil
		},
		"scan": func(x *index.Badger) error {
			for _, err := range x.Scan([]byte("k"), nil) {
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			closedIndex(t, dir)
			breakFirstBlocks(t, dir)
			told := 0
			x, err := index.OpenBadger(index.Options{Dir: dir, Lazy: true, OnDamage: func(error) { told++ }})
			must(t, err)
			if err := read(x); !errors.Is(err, index.ErrDamaged) || told != 1 {
				t.Errorf("read: %v, told %d times", err, told)
			}
			x.Close()
			if x, err := index.OpenBadger(index.Options{Dir: dir}); !errors.Is(err, index.ErrDamaged) {
				t.Errorf("open again: %v", err)
				x.Close()
			}
		})
	}
}

// TestScanBodyPanics keeps a panic of the host's own code out of it.
func TestScanBodyPanics(t *testing.T) {
	x := open(t, t.TempDir())
	must(t, x.Apply(small.batch(1)))
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v", r)
		}
		must(t, x.Close())
	}()
	for range x.Scan([]byte("k"), nil) {
		panic("mine")
	}
}
