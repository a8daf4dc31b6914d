package cache

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/larderbuild/larder/internal/testkit"
)

const (
	closedEntries  = 412 // inline, files and several outputs
	flushedEntries = 448 // with those that are in the index
	killedEntries  = 488 // with those only in the store's own
	builtRounds    = 27
	// fewEntries are put in most rounds, and manyEntries in some, so that tables have one leaf or several.
	fewEntries, manyEntries = 4, 80
	// builtSegment makes several segments of a small log.
	builtSegment = 12 << 10
)

// batteryText is what version v of an entry holds. One in ten has payload files.
func batteryText(i, v int) string {
	switch i % 20 {
	case 0:
		return killText(i, 5*v)
	case 1:
		return killText(i, 5*v+1)
	}
	return killText(i, 5*v+2)
}

func batteryOptions() Options {
	o, _ := (&Options{VerifyAfter: -1, Reserve: -1}).withDefaults()
	return o
}

// baseStore is a sound store of which copies are damaged.
type baseStore struct {
	Dir, State string
	Entries    int
	where      []entryPlace
}

// entryPlace is where the bytes of an entry stand, so that the test knows which entries a harm hits.
type entryPlace struct {
	segment  string
	from, to int64
	files    []string
}

// buildStores makes a store that was closed, and one like it that was used once more and killed.
func buildStores(t *testing.T, work string) (closed, killed *baseStore) {
	closed = &baseStore{Dir: filepath.Join(work, "closed"), State: "closed", Entries: closedEntries}
	killed = &baseStore{Dir: filepath.Join(work, "killed"), State: "killed", Entries: killedEntries}
	closed.build(t)
	writeTree(t, readTree(t, closed.Dir), killed.Dir)
	killed.build(t)
	closed.locate(t, filepath.Join(work, "places of closed"))
	killed.locate(t, filepath.Join(work, "places of killed"))
	return closed, killed
}

func (b *baseStore) build(t *testing.T) {
	c := testkit.Start(t, "builder", b.Dir, b.State)
	if line, err := c.Out.ReadString('\n'); line != "ready\n" {
		c.Kill()
		t.Fatal(line, err, c.Stderr())
	}
	c.Kill()
}

// playBuilder makes the closed store, or goes on with it until it is killed. Args: root, "closed" or "killed".
func playBuilder(args []string) int {
	build := buildClosed
	if args[1] == "killed" {
		build = buildKilled
	}
	if err := build(context.Background(), args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// buildClosed writes a table with each close.
func buildClosed(ctx context.Context, root string) error {
	next := 0
	for round := range builtRounds {
		n := fewEntries
		switch round {
		case 0, builtRounds / 2, builtRounds/2 + 1, builtRounds - 1:
			n = manyEntries
		}
		s, err := open(ctx, root, batteryOptions(), osSeams(builtSegment))
		if err != nil {
			return err
		}
		if err = putRange(s, next, next+n); err != nil {
			return err
		}
		if err := s.Close(ctx); err != nil {
			return err
		}
		next += n
	}
	if next != closedEntries {
		return fmt.Errorf("%d entries", next)
	}
	return nil
}

func putRange(s *Store, from, to int) error {
	for i := from; i < to; i++ {
		if err := putText(s, fmt.Sprint("k", i), batteryText(i, 0)); err != nil {
			return err
		}
	}
	return nil
}

// buildKilled leaves the store to be killed.
func buildKilled(ctx context.Context, root string) error {
	s, err := open(ctx, root, batteryOptions(), osSeams(builtSegment))
	if err != nil {
		return err
	}
	if err := putRange(s, closedEntries, flushedEntries); err != nil {
		return err
	}
	s.commitMu.Lock()
	err = s.flush(false)
	s.commitMu.Unlock()
	if err != nil {
		return err
	}
	if err := putRange(s, flushedEntries, killedEntries); err != nil {
		return err
	}
	return s.Sync(ctx)
}

// locate reads where each entry stands, in a copy.
func (b *baseStore) locate(t *testing.T, dir string) {
	ctx := t.Context()
	writeTree(t, readTree(t, b.Dir), dir)
	defer os.RemoveAll(dir)
	s, err := open(ctx, dir, batteryOptions(), osSeams(0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	b.where = make([]entryPlace, b.Entries)
	for i := range b.where {
		key := nameKey(fmt.Sprint("k", i))
		var r record
		if had, err := s.current(&key, &r); !had || err != nil {
			t.Fatal(i, had, err)
		}
		from := int64(r.pos.Offset)
		b.where[i] = entryPlace{segment: fmt.Sprintf("log/%016x.log", r.pos.Segment), from: from, to: from + frameCost(&r)}
		files, _ := s.filesOf(&key, &r)
		for _, d := range files {
			b.where[i].files = append(b.where[i].files, fmt.Sprintf("blobs/%x/%v", d[0]>>4, d))
		}
	}
}

// treeFile is a file of a store.
type treeFile struct {
	name  string
	mode  fs.FileMode
	bytes []byte
}

func readTree(t testing.TB, dir string) []treeFile {
	t.Helper()
	files, err := loadTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func loadTree(dir string) (files []treeFile, err error) {
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(name)
		files = append(files, treeFile{filepath.ToSlash(rel), fi.Mode().Perm(), b})
		return err
	})
	return files, err
}

func writeTree(t testing.TB, files []treeFile, dir string) {
	t.Helper()
	if err := storeTree(files, dir); err != nil {
		t.Fatal(err)
	}
}

func storeTree(files []treeFile, dir string) error {
	last := ""
	for i := range files {
		f := &files[i]
		name := filepath.Join(dir, f.name)
		if parent := filepath.Dir(name); parent != last {
			if err := os.MkdirAll(parent, 0o777); err != nil {
				return err
			}
			last = parent
		}
		if err := f.store(name); err != nil {
			return err
		}
	}
	return nil
}

func (f *treeFile) store(name string) error {
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.bytes)
	return firstOf(err, out.Close())
}
