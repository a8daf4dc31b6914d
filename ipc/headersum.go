package ipc

// ieee is the reversed polynomial of CRC-32 (IEEE).
const ieee = 0xedb88320

// sumTables tell what four bits of a header do to its CRC-32: sumTables[n][7] is for the first four
// of the word that has n words after it. They are small, for a process that makes one call fills
// them too.
var sumTables = newSumTables()

func newSumTables() (t [(headerSize - 4) / 4][8][16]uint32) {
	last := &t[0][0]
	for v := range last {
		sum := uint32(v)
		for range 4 {
			sum = sum>>1 ^ ieee&-(sum&1)
		}
		last[v] = sum
	}
	for i := 1; i < 8*len(t); i++ {
		here := &t[i/8][i%8]
		for v, sum := range t[(i-1)/8][(i-1)%8] {
			here[v] = last[sum&15] ^ sum>>4
		}
	}
	return t
}

// headerSum is the CRC-32 of the first 20 bytes of b.
func headerSum(b []byte) uint32 {
	t := &sumTables
	return ^(sumWord(&t[4], ^uint32At(b, 0)) ^ sumWord(&t[3], uint32At(b, 4)) ^ sumWord(&t[2], uint32At(b, 8)) ^
		sumWord(&t[1], uint32At(b, 12)) ^ sumWord(&t[0], uint32At(b, 16)))
}

// ackSum is the CRC-32 of the first 12 bytes of b.
func ackSum(b []byte) uint32 {
	t := &sumTables
	return ^(sumWord(&t[2], ^uint32At(b, 0)) ^ sumWord(&t[1], uint32At(b, 4)) ^ sumWord(&t[0], uint32At(b, 8)))
}

func sumWord(t *[8][16]uint32, w uint32) uint32 {
	return t[7][w&15] ^ t[6][w>>4&15] ^ t[5][w>>8&15] ^ t[4][w>>12&15] ^
		t[3][w>>16&15] ^ t[2][w>>20&15] ^ t[1][w>>24&15] ^ t[0][w>>28]
}
