package index_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

func tablesOf(t *testing.T, dir string) []string {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) < 2 {
		t.Fatal(tables, err)
	}
	return tables
}

// sound opens an index that has lost nothing.
func sound(t *testing.T, dir string) {
	t.Helper()
	x, err := index.OpenBadger(index.Options{Dir: dir})
	must(t, err)
	defer x.Close()
	n, err := position(x)
	if err == nil && n > 0 {
		err = same(x, n)
	}
	if n == 0 || err != nil {
		t.Errorf("after %d batches: %v", n, err)
	}
}

func damagedAtOpen(t *testing.T, o index.Options) {
	t.Helper()
	if x, err := index.OpenBadger(o); !errors.Is(err, index.ErrDamaged) {
		t.Errorf("open: %v", err)
		if x != nil {
			x.Close()
		}
	}
}

// TestAnotherTable puts one sound table in the place of another.
func TestAnotherTable(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprint("lazy ", lazy), func(t *testing.T) {
			dir := copyOf(t, base)
			tables := tablesOf(t, dir)
			b, err := os.ReadFile(tables[1])
			must(t, errors.Join(err, os.WriteFile(tables[0], b, 0o666)))
			damagedAtOpen(t, index.Options{Dir: dir, Lazy: lazy})
		})
	}
}

// TestManifestOfAnotherTime cuts changes off the list of tables, so that it tells of the tables that there once were.
func TestManifestOfAnotherTime(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	manifest, err := os.ReadFile(filepath.Join(base, "MANIFEST"))
	must(t, err)
	cuts := 0
	for end := 8; end < len(manifest); end += 8 + int(binary.BigEndian.Uint32(manifest[end:])) {
		cuts++
		for _, cut := range []int{end, end + 5} { // the latter leaves half a change
			dir := copyOf(t, base)
			must(t, os.Truncate(filepath.Join(dir, "MANIFEST"), int64(cut)))
			damagedAtOpen(t, index.Options{Dir: dir})
		}
	}
	if cuts < 3 {
		t.Errorf("%d changes in a list of %d bytes", cuts, len(manifest))
	}
	dir := copyOf(t, base)
	must(t, os.WriteFile(filepath.Join(dir, "MANIFEST"), append(manifest, 0, 0, 0), 0o666))
	sound(t, dir)
}

// TestFilesThatHoldNothing harms files of the engine that an index does not need.
func TestFilesThatHoldNothing(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	noise := bytes.Repeat([]byte("noise "), 1<<20/6)
	harms := map[string]func(path string) error{
		"deleted":  os.Remove,
		"empty":    func(p string) error { return os.WriteFile(p, nil, 0o666) },
		"short":    func(p string) error { return os.WriteFile(p, noise[:7], 0o666) },
		"noise":    func(p string) error { return os.WriteFile(p, noise, 0o666) },
		"a folder": func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o777)) },
	}
	t.Run("but not the list of tables", func(t *testing.T) {
		dir := copyOf(t, base)
		must(t, harms["a folder"](filepath.Join(dir, "MANIFEST")))
		damagedAtOpen(t, index.Options{Dir: dir})
	})
	for _, name := range []string{"DISCARD", "KEYREGISTRY"} {
		for what, harm := range harms {
			t.Run(name+" "+what, func(t *testing.T) {
				dir := copyOf(t, base)
				must(t, harm(filepath.Join(dir, name)))
				sound(t, dir)
			})
		}
	}
}

// spoilValues changes a byte in the values of a table, of all or of the one in the middle, while it may be open.
func spoilValues(t *testing.T, path string, all bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	padding := bytes.Repeat([]byte(" "), 90)
	var values []int
	for at := 0; ; {
		i := bytes.Index(b[at:], padding)
		if i < 0 {
			break
		}
		at += i + len(padding)
		values = append(values, at-20)
	}
	if len(values) < 3 {
		t.Fatalf("%d values in %s", len(values), path)
	}
	if !all {
		values = values[len(values)/2:][:1]
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	for _, at := range values {
		_, err := f.WriteAt([]byte("X"), int64(at))
		must(t, err)
	}
}

// TestGetUnderDamage changes tables that the engine has open: their records are not there, or are an error.
func TestGetUnderDamage(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	x, err := index.OpenBadger(index.Options{Dir: dir})
	must(t, err)
	defer x.Close()
	for _, path := range tablesOf(t, dir) {
		spoilValues(t, path, true)
	}
	for i := range small.keys {
		if v, _, _ := x.Get(key('k', i), nil); bytes.Contains(v, []byte("X")) {
			t.Fatalf("key %d: %q", i, v)
		}
	}
}

// TestDamageUnderAnOpenIndex has the calls that go through whole tables find what changed while they were open.
func TestDamageUnderAnOpenIndex(t *testing.T) {
	base := t.TempDir()
	closedIndex(t, base)
	calls := map[string]func(x *index.Badger) error{
		"scan": func(x *index.Badger) error {
			for op, err := range x.Scan([]byte("k"), nil) {
				if bytes.Contains(op.Value, []byte("X")) {
					return fmt.Errorf("got %q", op.Value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
		"verify": func(x *index.Badger) error { return x.Verify(t.Context()) },
		"compaction": func(x *index.Badger) error {
			n, err := position(x)
			for before := x.Compactions(); err == nil && x.Compactions() < before+10; {
				n++
				err = small.play(x, n, n)
			}
			return err
		},
	}
	for name, call := range calls {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", all values ", all), func(t *testing.T) {
				dir := copyOf(t, base)
				hooked := make(chan error, 10)
				x, err := index.OpenBadger(index.Small(index.Options{Dir: dir, OnDamage: func(err error) { hooked <- err }}))
				must(t, err)
				for _, path := range tablesOf(t, dir) {
					spoilValues(t, path, all)
				}
				err = call(x)
				closed := x.Close()
				if !errors.Is(err, index.ErrDamaged) || len(hooked) != 1 || !errors.Is(closed, index.ErrDamaged) {
					t.Errorf("%v, told %d times, close: %v", err, len(hooked), closed)
				}
				damagedAtOpen(t, index.Options{Dir: dir})
			})
		}
	}
}
