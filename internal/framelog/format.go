package framelog

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
)

const (
	fileMagic   = "larder\x1a\n"
	version     = 1
	headerSize  = 64
	headerSum   = 60 // offset of the header's checksum
	frameMagic  = 0xf7a3e10c
	frameHeader = 24
	frameSum    = 20 // offset of the frame header's checksum
	align       = 8
	maxOffset   = 1 << 32 // no byte of a segment lies at or beyond this
)

// Kinds of frames. Others do not exist in this version of the format.
const (
	kindData   = 1
	kindRoster = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileHeader is what the first bytes of a segment file say about it.
type fileHeader struct {
	generation uint32
	log        [16]byte
	segment    uint64
	base       uint32
}

func (h fileHeader) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, fileMagic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, h.generation)
	b = append(b, h.log[:]...)
	b = binary.BigEndian.AppendUint64(b, h.segment)
	b = binary.BigEndian.AppendUint32(b, h.base)
	b = append(b, make([]byte, headerSum-44)...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// headerState is how much of a file header can be believed.
type headerState uint8

const (
	headerBad headerState = iota
	headerOK
	headerNewer // intact, of a format this code does not know
)

// parseFileHeader reads the header at the start of b.
func parseFileHeader(b []byte) (fileHeader, headerState) {
	var h fileHeader
	if len(b) < headerSize || string(b[:8]) != fileMagic {
		return h, headerBad
	}
	if binary.BigEndian.Uint32(b[headerSum:]) != crc32.Checksum(b[:headerSum], castagnoli) {
		return h, headerBad
	}
	if v := binary.BigEndian.Uint32(b[8:]); v > version {
		return h, headerNewer
	} else if v != version {
		return h, headerBad
	}
	h.generation = binary.BigEndian.Uint32(b[12:])
	copy(h.log[:], b[16:])
	h.segment = binary.BigEndian.Uint64(b[32:])
	h.base = binary.BigEndian.Uint32(b[40:])
	if !h.sane() {
		return h, headerBad
	}
	return h, headerOK
}

// sane reports whether appendTo could have been asked to write h.
func (h fileHeader) sane() bool {
	return h.segment > 0 && h.segment <= maxSegment && h.base >= headerSize && h.base%align == 0 &&
		(h.generation > 0 || h.base == headerSize)
}

// seed binds checksums to a log and a segment.
type seed struct {
	crc   uint32
	place uint64
}

func newSeed(log [16]byte, segment uint64) seed {
	var b [24]byte
	copy(b[:], log[:])
	binary.BigEndian.PutUint64(b[16:], segment)
	return seed{crc: crc32.Checksum(b[:], castagnoli), place: xxhash.Sum64(b[:])}
}

// headerCRC covers the first bytes of a frame header at off. The offset is mixed into the
// start value: a CRC is linear, so two offsets always differ in the result.
func (s seed) headerCRC(off uint32, h []byte) uint32 {
	return crc32.Update(s.crc^off, castagnoli, h[:frameSum])
}

// mask turns the plain hash of a body into the one stored at off and back. It is apart from
// the hash so that bodies can be hashed before their place is known.
func (s seed) mask(off uint32) uint64 {
	x := s.place + uint64(off)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// putFrameHeader fills the frame header at the start of b for a frame at off.
func (s seed) putFrameHeader(b []byte, off uint32, kind uint32, length int, sum uint64) {
	binary.BigEndian.PutUint32(b, frameMagic)
	binary.BigEndian.PutUint32(b[4:], uint32(length))
	binary.BigEndian.PutUint64(b[8:], sum^s.mask(off))
	binary.BigEndian.PutUint32(b[16:], kind)
	binary.BigEndian.PutUint32(b[frameSum:], s.headerCRC(off, b))
}

// frameHead is a parsed frame header.
type frameHead struct {
	kind   uint32
	length int
	sum    uint64 // plain xxhash64 of the body
}

// size is what the frame takes in the log.
func (h frameHead) size() int64 { return frameSize(h.length) }

func frameSize(body int) int64 { return (frameHeader + int64(body) + align - 1) &^ (align - 1) }

// parseFrameHeader reads the header of the frame at off; maxBody bounds what is believed.
func (s seed) parseFrameHeader(b []byte, off uint32, maxBody int) (frameHead, bool) {
	if len(b) < frameHeader || binary.BigEndian.Uint32(b) != frameMagic {
		return frameHead{}, false
	}
	if binary.BigEndian.Uint32(b[frameSum:]) != s.headerCRC(off, b) {
		return frameHead{}, false
	}
	length := binary.BigEndian.Uint32(b[4:])
	h := frameHead{
		kind: binary.BigEndian.Uint32(b[16:]),
		sum:  binary.BigEndian.Uint64(b[8:]) ^ s.mask(off),
	}
	switch {
	case h.kind == kindRoster && length <= maxRoster, h.kind == kindData && int64(length) <= int64(maxBody):
		h.length = int(length)
		return h, true
	}
	return frameHead{}, false
}

// holds reports whether body is the one the header was written for.
func (h frameHead) holds(body []byte) bool { return xxhash.Sum64(body) == h.sum }
