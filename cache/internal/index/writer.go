package index

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/larderbuild/larder/internal/vfs"
)

// writer makes the file of a table from records that come in the order of their keys. Its name is
// the final one from the start: without the footer, which is written last, it is no table.
type writer struct {
	footer
	fs     vfs.FS
	file   vfs.File
	path   string
	buf    []byte // pages on their way into the file
	dirty  int    // bytes that were written since the last sync
	leaf   builder
	ended  []byte // the last key of the leaf before
	fences fences // of the leaves
	bloom  filter
}

// fences part pages that follow each other: each is above all keys of the page before, and not
// above the first of its own.
type fences struct {
	keys []byte
	ends []int
}

func (f *fences) add(key []byte) {
	f.keys = append(f.keys, key...)
	f.ends = append(f.ends, len(f.keys))
}

func (f *fences) key(i int) []byte {
	start := 0
	if i > 0 {
		start = f.ends[i-1]
	}
	return f.keys[start:f.ends[i]]
}

const (
	// writeBytes is how much is written at a time.
	writeBytes = 256 << 10
	// syncBytes is how much is written before a sync, so that at the end of a large table nobody
	// waits for a sync of all.
	syncBytes = 16 << 20
)

// newWriter begins the table of the given changes, of at most n records.
func newWriter(fsys vfs.FS, dir string, s span, n int) (*writer, error) {
	w := &writer{fs: fsys, path: filepath.Join(dir, s.file()), bloom: newFilter(n)}
	w.id, w.span = rand.Uint64(), s
	w.leaf.reset()
	var err error
	w.file, err = fsys.OpenFile(w.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (w *writer) add(op Op) error {
	if !w.leaf.add(op) {
		if err := w.endLeaf(); err != nil {
			return err
		}
		w.leaf.add(op)
	}
	if w.leaf.n == 1 {
		w.fences.add(fence(w.ended, op.Key))
	}
	w.records++
	w.bloom.add(xxhash.Sum64(op.Key))
	return nil
}

// fence returns as little of key, which is above before, as is above before too: with less of each
// key an inner page has room for three times as many. A forged table may have its keys in another
// order; then what leads to them is of no use.
func fence(before, key []byte) []byte {
	n := 0
	for n < min(len(before), len(key)-1) && before[n] == key[n] {
		n++
	}
	return key[:n+1]
}

func (w *writer) endLeaf() error {
	w.ended = append(w.ended[:0], w.leaf.page.key(w.leaf.n-1)...)
	w.leaf.page.seal(w.id, w.end, leafPage)
	err := w.write(&w.leaf.page)
	w.leaf.reset()
	return err
}

// write appends a page, which was sealed with the number w.end.
func (w *writer) write(p *page) error {
	w.buf = append(w.buf, p[:]...)
	w.end++
	if len(w.buf) < writeBytes {
		return nil
	}
	return w.flush()
}

func (w *writer) flush() error {
	n, err := w.file.Write(w.buf)
	w.buf = w.buf[:0]
	if w.dirty += n; err == nil && w.dirty >= syncBytes {
		w.dirty, err = 0, w.file.Sync()
	}
	return err
}

// finish writes what leads to the leaves, and makes the file a table.
func (w *writer) finish() (*table, error) {
	if w.leaf.n > 0 {
		if err := w.endLeaf(); err != nil {
			return nil, err
		}
	}
	w.leaves = w.end
	for below, at := &w.fences, uint32(0); len(below.ends) > 1; {
		above, start := &fences{}, w.end
		if err := w.level(below, at, above); err != nil {
			return nil, err
		}
		below, at = above, start
	}
	w.root = max(w.end, 1) - 1
	w.filter = w.end
	for i := range w.bloom {
		w.bloom[i].seal(w.id, w.end, filterPage)
		if err := w.write(&w.bloom[i]); err != nil {
			return nil, err
		}
	}
	w.buf = append(w.buf, w.footer.page()[:]...)
	if err := w.flush(); err != nil {
		return nil, err
	}
	t := &table{footer: w.footer, path: w.path, fs: w.fs, file: w.file}
	t.init()
	return t, nil
}

// level writes the inner pages above pages that begin with number at.
func (w *writer) level(below *fences, at uint32, above *fences) error {
	var b builder
	b.reset()
	var child [4]byte
	for i := range below.ends {
		le.PutUint32(child[:], at+uint32(i))
		op := Op{Key: below.key(i), Value: child[:]}
		if !b.add(op) {
			b.page.seal(w.id, w.end, innerPage)
			if err := w.write(&b.page); err != nil {
				return err
			}
			b.reset()
			b.add(op)
		}
		if b.n == 1 {
			above.add(op.Key)
		}
	}
	b.page.seal(w.id, w.end, innerPage)
	return w.write(&b.page)
}

// discard gives the file up.
func (w *writer) discard() error {
	return errors.Join(w.file.Close(), w.fs.Remove(w.path))
}

// changes is the ops of an Apply in the order of their keys, and those of one key in their own.
type changes struct {
	ops   []Op
	order []uint32
}

func (c *changes) sort(ops []Op, last Op) {
	c.ops = append(append(c.ops[:0], ops...), last)
	c.order = c.order[:0]
	for i := range c.ops {
		c.order = append(c.order, uint32(i))
	}
	slices.SortFunc(c.order, func(i, j uint32) int {
		return cmp.Or(bytes.Compare(c.ops[i].Key, c.ops[j].Key), cmp.Compare(i, j))
	})
}

// addTo adds of each key the last op.
func (c *changes) addTo(w *writer) error {
	for n, i := range c.order {
		op := c.ops[i]
		if n+1 < len(c.order) && bytes.Equal(c.ops[c.order[n+1]].Key, op.Key) {
			continue
		}
		if err := w.add(op); err != nil {
			return err
		}
	}
	return nil
}
