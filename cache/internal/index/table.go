package index

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/larderbuild/larder/internal/vfs"
)

// table is a file of records, sorted, that is never changed. Its pages are leaves with the records,
// above them inner pages that lead to a leaf, the filter, and the footer. Leaves are read and
// verified anew for each look-up; the others stay in memory once they were read.
type table struct {
	footer
	path   string
	fs     vfs.FS
	file   vfs.File
	pages  []atomic.Pointer[page] // after the leaves, but for the footer
	refs   atomic.Int32           // scans that read it, and one until it is dropped
	doomed atomic.Bool            // its file goes with the last of refs

	found   bool // it was there at Open, so an earlier life may have made it durable
	synced  bool // guarded by LSM.writes
	merging bool // guarded by LSM.writes
}

// footer is a table's last page, after its header:
//
//	24  "larder-1"
//	32  first and last change that the table holds, u64 each
//	48  number of records, u64
//	56  number of leaves, u32
//	60  number of the page that look-ups begin with, u32
//	64  number of the filter's first page, u32
//
// Where there are no records there are no leaves, and nothing begins.
type footer struct {
	span
	id      uint64
	records uint64
	leaves  uint32
	root    uint32
	filter  uint32
	end     uint32 // number of the footer
}

const footerMagic = "larder-1"

func (f *footer) page() *page {
	p := new(page)
	copy(p[24:], footerMagic)
	le.PutUint64(p[32:], f.first)
	le.PutUint64(p[40:], f.last)
	le.PutUint64(p[48:], f.records)
	le.PutUint32(p[56:], f.leaves)
	le.PutUint32(p[60:], f.root)
	le.PutUint32(p[64:], f.filter)
	p.seal(f.id, f.end, footerPage)
	return p
}

func (f *footer) parse(p *page) error {
	f.id = le.Uint64(p[8:])
	if err := p.check(f.id, f.end, footerPage); err != nil {
		return err
	}
	f.first, f.last = le.Uint64(p[32:]), le.Uint64(p[40:])
	f.records = le.Uint64(p[48:])
	f.leaves, f.root, f.filter = le.Uint32(p[56:]), le.Uint32(p[60:]), le.Uint32(p[64:])
	switch {
	case string(p[24:32]) != footerMagic:
		return damagedf("another version")
	case f.first > f.last, f.leaves > f.filter, f.filter >= f.end, f.root >= f.filter && f.leaves > 0,
		f.records > uint64(f.leaves)*pageSize/recordHeader:
		return damagedf("malformed footer")
	}
	return nil
}

// errTorn is of a table whose writer did not come to its end.
var errTorn = fmt.Errorf("%w: no footer", ErrDamaged)

// openTable opens the table whose file has the name of s.
func openTable(fsys vfs.FS, dir string, s span) (*table, error) {
	t := &table{found: true, fs: fsys, path: filepath.Join(dir, s.file())}
	var err error
	if t.file, err = fsys.OpenFile(t.path, os.O_RDWR|vfs.NoAtime, 0); err != nil { // Windows syncs no file that is only read
		return nil, damageOf(err)
	}
	if err = t.readFooter(); err == nil && t.span != s {
		err = damagedf("the table is that of %v", t.span)
	}
	if err != nil {
		return nil, errors.Join(err, t.file.Close())
	}
	t.init()
	return t, nil
}

func (t *table) init() {
	t.file = vfs.Mapped(t.file, int64(t.leaves)*pageSize)
	t.pages = make([]atomic.Pointer[page], t.end-t.leaves)
	t.refs.Store(1)
}

func (t *table) readFooter() error {
	fi, err := t.file.Stat()
	if err != nil {
		return err
	}
	n := fi.Size() / pageSize
	if n == 0 || fi.Size()%pageSize != 0 || n > 1<<32-1 {
		return errTorn
	}
	t.end = uint32(n) - 1
	var p page
	if err := t.readPages(t.end, p[:]); err != nil {
		return err
	}
	if err := t.parse(&p); err != nil {
		return fmt.Errorf("%w: %w", errTorn, err)
	}
	return nil
}

// readPages reads from page number on, unverified. An error is damage, whatever the cause: nobody
// knows what the pages say.
func (t *table) readPages(number uint32, b []byte) error {
	if n, err := t.file.ReadAt(b, int64(number)*pageSize); n < len(b) {
		return damagedf("page %d: %w", number, err)
	}
	return nil
}

// resident returns an inner page or one of the filter.
func (t *table) resident(number uint32, kind pageKind) (*page, error) {
	if number < t.leaves || number >= t.end {
		return nil, damagedf("there is no page %d", number)
	}
	slot := &t.pages[number-t.leaves]
	if p := slot.Load(); p != nil {
		return p, nil
	}
	p := new(page)
	if err := t.readPages(number, p[:]); err != nil {
		return nil, err
	}
	if err := p.check(t.id, number, kind); err != nil {
		return nil, err
	}
	slot.Store(p)
	return p, nil
}

// mayHold asks the filter.
func (t *table) mayHold(hash uint64) (bool, error) {
	if t.leaves == 0 {
		return false, nil
	}
	number, block := filterPlace(hash, int(t.end-t.filter))
	p, err := t.resident(t.filter+uint32(number), filterPage)
	return err == nil && p.mayHold(hash, block), err
}

// leafOf returns the leaf that holds key if the table does: the last whose fence is not above it,
// and else the first.
func (t *table) leafOf(key []byte) (uint32, error) {
	number := t.root
	for number >= t.leaves {
		p, err := t.resident(number, innerPage)
		if err != nil {
			return 0, err
		}
		op, ok := p.record(max(p.search(key), 1) - 1)
		if !ok || len(op.Value) != 4 || le.Uint32(op.Value) >= number {
			return 0, damagedf("malformed page %d", number)
		}
		number = le.Uint32(op.Value)
	}
	return number, nil
}

var pagePool = sync.Pool{New: func() any { return new(page) }}

// get appends the value of key to dst. Where the table knows that key was removed, it is known and
// not present.
func (t *table) get(hash uint64, key, dst []byte) (value []byte, present, known bool, err error) {
	if may, err := t.mayHold(hash); !may || err != nil {
		return dst, false, false, err
	}
	number, err := t.leafOf(key)
	if err != nil {
		return dst, false, false, err
	}
	p := pagePool.Get().(*page)
	defer pagePool.Put(p)
	if err = t.readPages(number, p[:]); err == nil {
		err = p.check(t.id, number, leafPage)
	}
	if err != nil {
		return dst, false, false, err
	}
	i := p.search(key)
	if i == 0 {
		return dst, false, false, nil
	}
	op, ok := p.record(i - 1)
	if !ok {
		return dst, false, false, damagedf("malformed page %d", number)
	}
	if !bytes.Equal(op.Key, key) {
		return dst, false, false, nil
	}
	return append(dst, op.Value...), op.Value != nil, true, nil
}

// release gives up one of refs.
func (t *table) release() error {
	if t.refs.Add(-1) > 0 {
		return nil
	}
	err := t.file.Close()
	if t.doomed.Load() {
		err = errors.Join(err, t.fs.Remove(t.path))
	}
	return err
}
