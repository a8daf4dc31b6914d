package index

import (
	"path/filepath"
	"slices"

	"github.com/larderbuild/larder/internal/vfs"
)

// OpenSmall opens an index that merges small tables step by step.
func OpenSmall(fsys vfs.FS, dir string) (*LSM, error) {
	return open(fsys, dir, nil, limits{rest: 60, step: 20, small: 4, sync: SmallSync})
}

// SmallSync is the pages from which OpenSmall has merged tables durable.
const SmallSync = 12

// Merging reports whether a merge that has not ended writes the file.
func (x *LSM) Merging(name string) bool {
	return slices.ContainsFunc(x.merges, func(m *merge) bool { return m.out != nil && filepath.Base(m.out.path) == name })
}

// Tables returns how many there are.
func (x *LSM) Tables() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.tables)
}

// Seal makes the checksums of all whole pages right, for bytes that are no accident.
func Seal(b []byte) {
	for at := 0; at+pageSize <= len(b); at += pageSize {
		p := (*page)(b[at:])
		p.seal(le.Uint64(p[8:]), le.Uint32(p[16:]), pageKind(p[20]))
	}
}

const (
	ManyTables = manyTables

	PageSize   = pageSize
	FilterKeys = filterKeys
)

// WriteGolden makes a table that is the same each time.
func WriteGolden(fsys vfs.FS, dir string) error {
	w, err := newWriter(fsys, dir, span{0, 2}, 100)
	if err != nil {
		return err
	}
	w.id = 0x0807060504030201
	for _, op := range []Op{
		{Key: []byte("a"), Value: []byte("first")}, {Key: []byte("b")}, {Key: []byte("c"), Value: []byte{}},
		{Key: []byte("d"), Value: make([]byte, MaxValue)}, {Key: []byte("z"), Value: []byte("last")},
	} {
		for n := range 9 { // two leaves
			op.Key = append(op.Key[:1:1], byte('0'+n))
			if err := w.add(op); err != nil {
				return err
			}
		}
	}
	t, err := w.finish()
	if err != nil {
		return err
	}
	return t.file.Close()
}

// FilterErrors returns how many of some keys that are not in a filter of n others it takes for being there.
func FilterErrors(n, others int, hash func(int) uint64) (errs int) {
	f := newFilter(n)
	for i := range n {
		f.add(hash(i))
	}
	for i := n; i < n+others; i++ {
		number, block := filterPlace(hash(i), len(f))
		if f[number].mayHold(hash(i), block) {
			errs++
		}
	}
	return errs
}
