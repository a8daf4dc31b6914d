// Package content makes the keys and values of benchmarks: the same for every store and every run,
// without keeping a list of them.
package content

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Key is the i-th key: evenly spread, like a key that a build computes.
func Key(i int) [32]byte {
	var b [24]byte
	copy(b[:], "larder bench key")
	binary.BigEndian.PutUint64(b[16:], uint64(i))
	return sha256.Sum256(b[:])
}

// offsets is how many distinct values of one size a pool has.
const offsets = 1 << 24

// Pool hands out random values without making them anew: windows into random bytes that begin
// at different places. It is safe for concurrent use.
type Pool struct{ random []byte }

// NewPool makes a pool for values up to size bytes. It takes 16 MiB more than size.
func NewPool(size int) *Pool {
	p := &Pool{random: make([]byte, offsets+size)}
	rand.NewChaCha8(sha256.Sum256([]byte("larder bench"))).Read(p.random)
	return p
}

// Value is the i-th value of that size: incompressible, and different for each i below 1<<24.
// The caller must not change it.
func (p *Pool) Value(i, size int) []byte {
	const odd = 0x9e3779b1 // an odd factor only permutes the offsets
	at := uint32(i) * odd % offsets
	return p.random[at : int(at)+size : int(at)+size]
}
