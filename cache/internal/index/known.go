package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

// signature tells a table file from any other content under the same name, without reading it.
type signature struct {
	id, size      uint64
	modified      int64 // nanoseconds
	changed       int64
	inode, footer uint64
	fresh         uint64 // 1 when the file was too young for its times to tell a later change
}

// settled is how old a file must be before an unchanged time stamp says that it is unchanged: time stamps
// are as coarse as two seconds.
const settled = 2 * time.Second

func (t *table) signature(id uint64, now time.Time) signature {
	s := signature{id: id, size: uint64(t.info.Size()), modified: t.info.ModTime().UnixNano(), footer: uint64(t.sum)}
	s.changed, s.inode = changeTime(t.info)
	if now.Sub(time.Unix(0, max(s.modified, s.changed))) < settled {
		s.fresh = 1
	}
	return s
}

// same reports whether the file that has signature now is the one that had s.
func (s signature) same(now signature) bool {
	now.fresh = s.fresh
	return s == now
}

// known is the tables that were found sound, by id.
type known map[uint64]signature

const (
	knownHeader = "larder index tables 1\n"
	knownRecord = 7 * 8
)

// encode writes the list in order of ids, with a checksum at the end.
func (k known) encode() []byte {
	b := []byte(knownHeader)
	for _, s := range k.sorted() {
		for _, n := range []uint64{s.id, s.size, uint64(s.modified), uint64(s.changed), s.inode, s.footer, s.fresh} {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
	}
	return binary.LittleEndian.AppendUint64(b, xxhash.Sum64(b))
}

func (k known) sorted() []signature {
	all := make([]signature, 0, len(k))
	for _, s := range k {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b signature) int { return cmp.Compare(a.id, b.id) })
	return all
}

var errKnown = errors.New("list of tables: not readable")

func parseKnown(b []byte) (known, error) {
	body := len(b) - 8 - len(knownHeader)
	if body < 0 || body%knownRecord != 0 || string(b[:len(knownHeader)]) != knownHeader ||
		xxhash.Sum64(b[:len(b)-8]) != binary.LittleEndian.Uint64(b[len(b)-8:]) {
		return nil, errKnown
	}
	k := known{}
	for b = b[len(knownHeader) : len(b)-8]; len(b) > 0; b = b[knownRecord:] {
		n := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
		k[n(0)] = signature{n(0), n(1), int64(n(2)), int64(n(3)), n(4), n(5), n(6)}
	}
	return k, nil
}
