package index

import "github.com/larderbuild/larder/internal/vfs"

// OpenSmall opens an index that merges small tables step by step.
func OpenSmall(fsys vfs.FS, dir string) (*LSM, error) {
	return open(fsys, dir, nil, limits{step: 20, small: 4, sync: 12})
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

const PageSize = pageSize

// WriteGolden makes a table that is the same each time.
func WriteGolden(fsys vfs.FS, dir string) error {
	w, err := newWriter(fsys, dir, 0, 2, 100)
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
