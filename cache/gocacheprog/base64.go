package gocacheprog

import (
	"encoding/base64"
	"encoding/binary"
	"sync"
)

// base64Bits give the bits that a character adds to the 24 of its group, by its place in
// the group. Characters outside of the alphabet have notBase64 set.
type base64Bits [4][256]uint32

const (
	base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	notBase64      = 1 << 31
)

// base64Table is made with the first put: a warm build needs none.
var base64Table = sync.OnceValue(newBase64Bits)

// decodeBase64 decodes whole groups of four characters, padding included, into dst, which
// has room for three bytes each.
func decodeBase64(dst, src []byte) (int, error) {
	taken := base64Table().decode(dst, src)
	n := taken / 4 * 3
	m, err := base64.StdEncoding.Decode(dst[n:], src[taken:])
	return n + m, err
}

func newBase64Bits() *base64Bits {
	t := new(base64Bits)
	for place := range t {
		for c := range t[place] {
			t[place][c] = notBase64
		}
		for bits, c := range base64Alphabet {
			t[place][c] = uint32(bits) << (18 - 6*place)
		}
	}
	return t
}

// decode decodes groups of four characters, without padding, while src has them and dst
// has room for eight bytes, and returns how many characters it took. It stops before the first
// group that is anything else. Package encoding/base64 does the same at half the speed, and
// a cold build is a few hundred megabytes of it.
func (t *base64Bits) decode(dst, src []byte) (taken int) {
	for len(src) >= 8 && len(dst) >= 8 {
		hi := t[0][src[0]] | t[1][src[1]] | t[2][src[2]] | t[3][src[3]]
		lo := t[0][src[4]] | t[1][src[5]] | t[2][src[6]] | t[3][src[7]]
		if (hi|lo)&notBase64 != 0 {
			break
		}
		binary.BigEndian.PutUint64(dst, uint64(hi)<<40|uint64(lo)<<16)
		src, dst, taken = src[8:], dst[6:], taken+8
	}
	return taken
}
