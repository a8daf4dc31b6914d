package index

import "math/bits"

// filter saves reading a leaf for most keys that a table does not hold. It is a Bloom filter made
// of blocks: a key sets one bit in each of the eight words of one block (Putze, Sanders and
// Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"). With ten bits for each key it lets
// one absent key in a hundred pass.
type filter []page

const (
	filterBlock  = 64 // bytes
	filterBlocks = (pageSize - pageHeader) / filterBlock
	filterKeys   = filterBlocks * filterBlock * 8 / 10 // of a page
)

// newFilter returns one for n keys.
func newFilter(n int) filter { return make(filter, max(1, (n+filterKeys-1)/filterKeys)) }

// filterPlace returns the page and the block of a key.
func filterPlace(hash uint64, pages int) (number, block int) {
	high, _ := bits.Mul64(hash, uint64(pages))
	low, _ := bits.Mul64(bits.RotateLeft64(hash, 32), filterBlocks)
	return int(high), pageHeader + int(low)*filterBlock
}

// filterBits spreads hash over the words of a block, six bits for each.
func filterBits(hash uint64) uint64 { return hash * 0x9e3779b97f4a7c15 >> 16 }

func (f filter) add(hash uint64) {
	number, at := filterPlace(hash, len(f))
	p, spread := &f[number], filterBits(hash)
	for i := range 8 {
		word := p[at+8*i:]
		le.PutUint64(word, le.Uint64(word)|1<<(spread>>(6*i)&63))
	}
}

// mayHold reports whether the table may hold the key with this hash. Page p and block are those
// that filterPlace named.
func (p *page) mayHold(hash uint64, block int) bool {
	spread := filterBits(hash)
	for i := range 8 {
		if le.Uint64(p[block+8*i:])>>(spread>>(6*i)&63)&1 == 0 {
			return false
		}
	}
	return true
}
