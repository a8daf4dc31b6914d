package index

import (
	"bytes"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// page is the unit of a table's file, and of what is verified:
//
//	 0  xxhash64 of all that follows
//	 8  id of the table
//	16  number of the page in the file, u32
//	20  kind
//	21  0
//	22  number of records, u16
//	24  records, in the order of their keys: length of the key, u8; length of the
//	    value, u16, or 0xffff for a key that was removed; key; value
//	 .  zeros, then the offset of each record, u16, from the page's end backwards
//
// A page of the filter and the footer hold something else than records. All numbers are little
// endian.
type page [pageSize]byte

const (
	pageSize   = 2048
	pageHeader = 24

	recordHeader = 3
	removed      = 0xffff // in place of the length of a value
)

type pageKind uint8

const (
	leafPage   pageKind = 1 + iota
	innerPage           // records are the fence before each child, and its page number, u32
	filterPage          // see filter
	footerPage          // see footer
)

var le = binary.LittleEndian

// seal completes the header.
func (p *page) seal(id uint64, number uint32, kind pageKind) {
	le.PutUint64(p[8:], id)
	le.PutUint32(p[16:], number)
	p[20] = byte(kind)
	le.PutUint64(p[:], xxhash.Sum64(p[8:]))
}

// check returns an error unless p is a page that seal has completed for this table, place and kind.
func (p *page) check(id uint64, number uint32, kind pageKind) error {
	switch {
	case le.Uint64(p[:]) != xxhash.Sum64(p[8:]):
		return damagedf("checksum of page %d", number)
	case le.Uint64(p[8:]) != id || le.Uint32(p[16:]) != number || pageKind(p[20]) != kind:
		return damagedf("page %d is another one", number)
	}
	return nil
}

func (p *page) count() int { return int(le.Uint16(p[22:])) }

// record returns record i, whose slices are p's. It reports false where p is not one that builder
// has made.
func (p *page) record(i int) (op Op, ok bool) {
	slot := pageSize - 2*(i+1)
	if i < 0 || slot < pageHeader {
		return op, false
	}
	at := int(le.Uint16(p[slot:]))
	if at < pageHeader || at+recordHeader > slot {
		return op, false
	}
	keyLen, valueLen := int(p[at]), int(le.Uint16(p[at+1:]))
	at += recordHeader
	gone := valueLen == removed
	if gone {
		valueLen = 0
	}
	if keyLen == 0 || at+keyLen+valueLen > slot {
		return op, false
	}
	op.Key = p[at : at+keyLen : at+keyLen]
	if at += keyLen; !gone {
		op.Value = p[at : at+valueLen : at+valueLen]
	}
	return op, true
}

// search returns the number of records whose keys are not above key.
func (p *page) search(key []byte) int {
	low, high := 0, p.count()
	for low < high {
		mid := int(uint(low+high) / 2)
		if k := p.key(mid); k == nil || bytes.Compare(k, key) > 0 {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// key returns the key of record i, or nil where p is not one that builder has made.
func (p *page) key(i int) []byte {
	slot := pageSize - 2*(i+1)
	if slot < pageHeader {
		return nil
	}
	at := int(le.Uint16(p[slot:]))
	if at >= slot {
		return nil
	}
	end := at + recordHeader + int(p[at])
	if end > slot {
		return nil
	}
	return p[at+recordHeader : end]
}

// builder fills a page with records.
type builder struct {
	page page
	n    int
	end  int
}

func (b *builder) reset() {
	b.page, b.n, b.end = page{}, 0, pageHeader
}

// add reports whether op had room.
func (b *builder) add(op Op) bool {
	slot := pageSize - 2*(b.n+1)
	if b.end+recordHeader+len(op.Key)+len(op.Value) > slot {
		return false
	}
	p := b.page[:]
	le.PutUint16(p[slot:], uint16(b.end))
	p[b.end] = byte(len(op.Key))
	le.PutUint16(p[b.end+1:], uint16(len(op.Value)))
	if op.Value == nil {
		le.PutUint16(p[b.end+1:], removed)
	}
	b.end += recordHeader
	b.end += copy(p[b.end:], op.Key)
	b.end += copy(p[b.end:], op.Value)
	b.n++
	le.PutUint16(p[22:], uint16(b.n))
	return true
}
