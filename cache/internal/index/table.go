package index

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	tableSuffix = ".sst"
	// maxFooter is more than the two lengths and the checksum at the end of a table need.
	maxFooter = 64
	// maxTable bounds what is read of a file that claims to be a table.
	maxTable = 1 << 30
)

func tableName(id uint64) string { return fmt.Sprintf("%06d%s", id, tableSuffix) }

// tableID is the inverse of tableName.
func tableID(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, tableSuffix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	return id, err == nil && tableName(id) == name
}

// table is a table file opened for checking. Its layout, from the end of the file back: length of the
// checksum, checksum of the index, length of the index, index, blocks.
type table struct {
	file  *os.File
	info  os.FileInfo
	start int64  // of the index; the blocks fill what is before
	size  int    // of the index
	sum   uint32 // of the index
}

// openTable opens the file and reads its footer.
func openTable(dir string, id uint64) (*table, error) {
	f, err := os.Open(filepath.Join(dir, tableName(id)))
	if err != nil {
		return nil, err
	}
	t := &table{file: f}
	if t.info, err = f.Stat(); err == nil {
		err = t.footer()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", tableName(id), err)
	}
	return t, nil
}

func (t *table) close() { t.file.Close() }

func (t *table) footer() error {
	if size := t.info.Size(); size < maxFooter || size > maxTable {
		return damagedf("not a table of %d bytes", size)
	}
	var buf [maxFooter]byte
	if _, err := t.file.ReadAt(buf[:], t.info.Size()-maxFooter); err != nil {
		return err
	}
	rest, sum, ok := cutChecksum(buf[:])
	if !ok || len(rest) < 4 {
		return damagedf("bad footer")
	}
	t.sum = sum
	index := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	t.start = t.info.Size() - maxFooter + int64(len(rest)) - 4 - index
	if index == 0 || t.start <= 0 {
		return damagedf("index of %d bytes", index)
	}
	t.size = int(index)
	return nil
}

// cutChecksum takes the checksum and its length off the end of b.
func cutChecksum(b []byte) (rest []byte, sum uint32, ok bool) {
	if len(b) < 4 {
		return nil, 0, false
	}
	n := binary.BigEndian.Uint32(b[len(b)-4:])
	b = b[:len(b)-4]
	if uint64(n) > uint64(len(b)) {
		return nil, 0, false
	}
	rest, b = b[:len(b)-int(n)], b[len(b)-int(n):]
	var value uint64
	for len(b) > 0 {
		f, more, ok := nextField(b)
		if !ok || f.bytes != nil || f.number > 2 || f.number == 1 && f.value != 0 { // 0 is CRC-32C
			return nil, 0, false
		}
		if f.number == 2 {
			value = f.value
		}
		b = more
	}
	return rest, uint32(value), value>>32 == 0
}

// scratch is memory that the checks of several tables use one after the other.
type scratch struct {
	index  []byte
	blocks *bufio.Reader
}

func newScratch() *scratch { return &scratch{blocks: bufio.NewReaderSize(nil, 2*maxBlock)} }

// index reads and verifies the list of blocks, which lives in buf.
func (t *table) index(buf *scratch) (tableIndex, error) {
	b := slices.Grow(buf.index[:0], t.size)[:t.size]
	buf.index = b
	if _, err := t.file.ReadAt(b, t.start); err != nil {
		return tableIndex{}, unexpected(err)
	}
	if crc32.Checksum(b, castagnoli) != t.sum {
		return tableIndex{}, damagedf("index: checksum mismatch")
	}
	x, ok := parseTableIndex(b)
	if !ok {
		return tableIndex{}, damagedf("bad index")
	}
	return x, nil
}

// keyRange is the keys from first up to but not with end; a nil end has no limit.
type keyRange struct{ first, end []byte }

// verify reads every block that may hold a key of r and compares its checksum.
func (t *table) verify(buf *scratch, r keyRange) error {
	x, err := t.index(buf)
	if err != nil {
		return err
	}
	from, to, ok := x.span(r)
	if !ok {
		return damagedf("bad index")
	}
	return t.verifyBlocks(buf, x, from, to)
}

// verifyOpening reads what the engine reads when it opens the table: the index and the last block. Over the block it
// may end the process, and after an error its clean-up races with itself.
func (t *table) verifyOpening(buf *scratch) error {
	x, err := t.index(buf)
	if err != nil {
		return err
	}
	return t.verifyBlocks(buf, x, x.blocks-1, x.blocks)
}

// verifyBlocks reads blocks that follow each other without gaps, as all do.
func (t *table) verifyBlocks(buf *scratch, x tableIndex, from, to int) error {
	for i := from; i < to; i++ {
		b, ok := x.block(i)
		if !ok {
			return damagedf("bad index")
		}
		if i == from {
			buf.blocks.Reset(io.NewSectionReader(t.file, int64(b.offset), t.start-int64(b.offset)))
		}
		if err := verifyBlock(buf.blocks, int(b.size)); err != nil {
			return fmt.Errorf("block at %d: %w", b.offset, err)
		}
	}
	return nil
}

// verifyBlock checks the next block.
func verifyBlock(r *bufio.Reader, size int) error {
	p, err := r.Peek(size)
	if err != nil {
		return unexpected(err)
	}
	content, sum, ok := cutChecksum(p)
	if !ok || crc32.Checksum(content, castagnoli) != sum {
		return damagedf("checksum mismatch")
	}
	_, err = r.Discard(size)
	return err
}

// unexpected turns the end of a file that was longer a moment ago into damage.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return damagedf("file ends early")
	}
	return err
}

// overlaps reports whether a table with keys from first to last, with their versions, may hold a key of r.
func (r keyRange) overlaps(first, last []byte) bool {
	if len(first) < versionSize || len(last) < versionSize {
		return true
	}
	first, last = first[:len(first)-versionSize], last[:len(last)-versionSize]
	return bytes.Compare(last, r.first) >= 0 && (r.end == nil || bytes.Compare(first, r.end) < 0)
}

// prefixEnd returns the least key that is greater than all that have the prefix, or nil.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
