package buildabi

import (
	"encoding/binary"
	"math/bits"
)

// Bits is a bitset in the form that it has on the wire: 64-bit little-endian words, bit i in word
// i/64, so that a copy encodes it. It is not safe for concurrent use while Set or Or run.
type Bits []byte

// NewBits returns a bitset with room for n bits, all off.
func NewBits(n int) Bits { return make(Bits, bitsSize(n)) }

func bitsSize(n int) int { return (n + 63) / 64 * wordSize }

// Get reports whether bit i is on; a bit that the set has no room for is off.
func (s Bits) Get(i int) bool {
	return uint(i) < uint(len(s))*8 && s[i/8]>>(i%8)&1 != 0
}

// Set turns bit i on. It reports false if the set has no room for it.
func (s Bits) Set(i int) bool {
	if uint(i) >= uint(len(s))*8 {
		return false
	}
	s[i/8] |= 1 << (i % 8)
	return true
}

// Or turns on the bits that are on in other, as far as there is room.
func (s Bits) Or(other Bits) {
	n := min(len(s), len(other))
	i := 0
	for ; i+wordSize <= n; i += wordSize {
		word := binary.LittleEndian.Uint64(s[i:]) | binary.LittleEndian.Uint64(other[i:])
		binary.LittleEndian.PutUint64(s[i:], word)
	}
	for ; i < n; i++ {
		s[i] |= other[i]
	}
}

// Count returns how many bits are on.
func (s Bits) Count() int {
	n, i := 0, 0
	for ; i+wordSize <= len(s); i += wordSize {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(s[i:]))
	}
	for ; i < len(s); i++ {
		n += bits.OnesCount8(s[i])
	}
	return n
}

// firstFrom returns the first bit from i on that is on, or -1.
func (s Bits) firstFrom(i int) int {
	for ; i < len(s)*8; i++ {
		if s.Get(i) {
			return i
		}
	}
	return -1
}

// Statuses holds one [StepStatus] for each step in the form that they have on the wire: four to a
// byte, the first in the lowest bits.
type Statuses []byte

// NewStatuses returns the statuses of n steps, all [Pending].
func NewStatuses(n int) Statuses { return make(Statuses, statusesSize(n)) }

func statusesSize(n int) int { return (n + 3) / 4 }

// Get returns the status of step i; of one that there is no room for it is [Pending].
func (s Statuses) Get(i int) StepStatus {
	if uint(i) >= uint(len(s))*4 {
		return Pending
	}
	return StepStatus(s[i/4] >> (i % 4 * 2) & 3)
}

// Set changes the status of step i. It reports false, having changed nothing, if there is no
// room for the step or no such status.
func (s Statuses) Set(i int, status StepStatus) bool {
	if uint(i) >= uint(len(s))*4 || status > Failure {
		return false
	}
	shift := i % 4 * 2
	s[i/4] = s[i/4]&^(3<<shift) | byte(status)<<shift
	return true
}

// unused returns the bits of the last byte that no step of n has.
func (s Statuses) unused(n int) byte {
	if n%4 == 0 {
		return 0
	}
	return s[len(s)-1] >> (n % 4 * 2)
}
