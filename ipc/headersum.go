package ipc

import "hash/crc32"

// sumTables are those of CRC-32 (IEEE) for eight bytes at a time: sumTables[n][b] is what b does
// to the sum when n more bytes follow.
var sumTables = newSumTables()

func newSumTables() (t [8][256]uint32) {
	t[0] = *crc32.IEEETable
	for n := range t[1:] {
		for b, c := range t[n] {
			t[n+1][b] = t[0][byte(c)] ^ c>>8
		}
	}
	return t
}

// headerSum is crc32.ChecksumIEEE of the first 20 bytes of b, but faster: package crc32 takes the last
// four of so few bytes one by one. Each header is summed at both ends.
func headerSum(b []byte) uint32 {
	t := &sumTables
	b = b[:headerSize-4]
	sum := ^uint32(0)
	for ; len(b) >= 8; b = b[8:] {
		low, high := sum^uint32At(b, 0), uint32At(b, 4)
		sum = t[7][byte(low)] ^ t[6][byte(low>>8)] ^ t[5][byte(low>>16)] ^ t[4][low>>24] ^
			t[3][byte(high)] ^ t[2][byte(high>>8)] ^ t[1][byte(high>>16)] ^ t[0][high>>24]
	}
	sum ^= uint32At(b, 0)
	return ^(t[3][byte(sum)] ^ t[2][byte(sum>>8)] ^ t[1][byte(sum>>16)] ^ t[0][sum>>24])
}
