//go:build unix

package index_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/cache/internal/index"
)

func openReadOnly(t *testing.T, dir string) *index.Badger {
	t.Helper()
	x, err := index.OpenBadger(index.Options{Dir: dir, ReadOnly: true})
	must(t, err)
	t.Cleanup(func() { must(t, x.Close()) })
	return x
}

// listing is the names, sizes and times of the files in dir.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var s strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		s.WriteString(info.Name() + " " + info.ModTime().String() + " " + info.Mode().String() + "\n")
	}
	return s.String()
}

// tables leaves out of a listing what says how the index was closed.
func tables(listing string) string {
	var s strings.Builder
	for line := range strings.Lines(listing) {
		if !strings.HasPrefix(line, "state.") {
			s.WriteString(line)
		}
	}
	return s.String()
}

func TestReadOnlyAfterClose(t *testing.T) {
	dir := t.TempDir()
	closedIndex(t, dir)
	before := listing(t, dir)
	checkReadOnly(t, openReadOnly(t, dir))
	if after := listing(t, dir); after != before {
		t.Errorf("files changed from\n%sto\n%s", before, after)
	}
}

func checkReadOnly(t *testing.T, x *index.Badger) {
	t.Helper()
	n, err := position(x)
	must(t, err)
	if n == 0 {
		t.Error("the index is empty")
	}
	if wrong, err := small.difference(x, n); wrong != 0 || err != nil {
		t.Errorf("%d records are not those after %d batches (%v)", wrong, n, err)
	}
	if err := x.Apply(small.batch(1)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Apply: %v", err)
	}
	must(t, x.Sync())
	must(t, x.Verify(t.Context()))
	must(t, x.Close())
}

func TestReadOnlyAfterAKill(t *testing.T) {
	dir := t.TempDir()
	killedIndex(t, dir)
	checkReadOnly(t, openReadOnly(t, dir))
	if logs, _ := filepath.Glob(filepath.Join(dir, "*.mem")); len(logs) != 0 {
		t.Errorf("left-overs: %q", logs)
	}
}

func TestReadOnlyOfNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	if x, err := index.OpenBadger(index.Options{Dir: dir, ReadOnly: true}); err == nil || errors.Is(err, index.ErrDamaged) {
		t.Errorf("got %v, %v", x, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made")
	}
}

// TestLazy opens for reading only after a close, and for writing after a kill, and notes a kill in both.
func TestLazy(t *testing.T) {
	dir := t.TempDir()
	lazy := func(reading bool) *index.Badger {
		t.Helper()
		x, err := index.OpenBadger(index.Options{Dir: dir, Lazy: true})
		must(t, err)
		if x.ReadOnly() != reading {
			t.Errorf("read-only %v", x.ReadOnly())
		}
		return x
	}
	must(t, lazy(false).Close())
	dir = t.TempDir()
	closedIndex(t, dir)
	before := listing(t, dir)
	x := lazy(true)
	if during := listing(t, dir); !strings.Contains(during, "state.open") {
		t.Errorf("a kill would not be seen:\n%s", during)
	}
	checkReadOnly(t, x)
	if after := listing(t, dir); tables(after) != tables(before) || !strings.Contains(after, "state.clean") {
		t.Errorf("files changed from\n%sto\n%s", before, after)
	}
	dir = t.TempDir()
	killedIndex(t, dir)
	x = lazy(false)
	must(t, x.Apply(small.batch(1)))
	must(t, x.Close())
}

// A copied index, as of a cache that was restored, is read whole at its first open and not at each.
func TestLazyLearns(t *testing.T) {
	from, dir := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	closedIndex(t, from)
	must(t, os.CopyFS(dir, os.DirFS(from)))
	recognized := func() int {
		n, err := index.Recognized(dir)
		must(t, err)
		return n
	}
	before := recognized()
	x, err := index.OpenBadger(index.Options{Dir: dir, Lazy: true})
	must(t, err)
	checkReadOnly(t, x)
	all, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	must(t, err)
	if after := recognized(); before != 0 || after != len(all) || after == 0 {
		t.Errorf("of %d tables %d were recognized, and %d after an open", len(all), before, after)
	}
}
