package cache

import (
	"encoding/binary"
)

// The log holds one frame for each change. The body starts with a kind and a version byte.
//
//	put      kind, version, zero u16, key [32], record (without checksum; its position is zero),
//	         count of facts u32, facts, inline area
//	delete   kind, version, zero u16, key [32]
//	touch    kind, version, zero u16, key [32], last use u32, uses u32
//	removed  kind, version, zero u16, segment u64: the segment's live frames were all moved
//
// A put names every payload file it refers to, so that the index can be rebuilt, and an
// artifact dropped, from the frame alone.
type frameKind uint8

const (
	framePut frameKind = iota + 1
	frameDelete
	frameTouch
	frameRemoved
)

const (
	frameVersion = 1
	frameHead    = 4
	frameKeyed   = frameHead + 32
)

// frame is a decoded frame. Its slices point into the bytes it was parsed from.
type frame struct {
	kind    frameKind
	key     Key
	rec     record // put
	facts   []byte // put: factBytes each
	area    []byte // put: inline area
	lastUse uint32 // touch
	uses    uint32
	segment uint64 // removed
}

func (f *frame) factCount() int { return len(f.facts) / factBytes }

func (f *frame) fact(i int) fact { return parseFact(f.facts[i*factBytes:]) }

func (f *frame) factList() []fact {
	list := make([]fact, f.factCount())
	for i := range list {
		list[i] = f.fact(i)
	}
	return list
}

func appendHead(b []byte, kind frameKind) []byte {
	return append(b, byte(kind), frameVersion, 0, 0)
}

func appendKeyed(b []byte, kind frameKind, key *Key) []byte {
	return append(appendHead(b, kind), key[:]...)
}

// appendPut appends all of a put frame but its inline area, which follows it in the log.
func appendPut(b []byte, key *Key, r *record, facts []fact) []byte {
	b = appendKeyed(b, framePut, key)
	b = appendRecordBody(b, r)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(facts)))
	for i := range facts {
		b = appendFact(b, &facts[i])
	}
	return b
}

// putFrameLen is the length of a put frame's body.
func putFrameLen(r *record, facts, area int) int {
	return frameKeyed + recordFixed + int(r.nameLen) + 4 + facts*factBytes + area
}

func appendTouch(b []byte, key *Key, lastUse, uses uint32) []byte {
	b = appendKeyed(b, frameTouch, key)
	b = binary.LittleEndian.AppendUint32(b, lastUse)
	return binary.LittleEndian.AppendUint32(b, uses)
}

func appendRemoved(b []byte, segment uint64) []byte {
	return binary.LittleEndian.AppendUint64(appendHead(b, frameRemoved), segment)
}

// parseFrame decodes a frame's body.
func parseFrame(b []byte, f *frame) error {
	if len(b) < frameHead || b[1] != frameVersion || b[2]|b[3] != 0 {
		return errRecord
	}
	*f = frame{kind: frameKind(b[0])}
	if f.kind == frameRemoved {
		if len(b) != frameHead+8 {
			return errRecord
		}
		f.segment = binary.LittleEndian.Uint64(b[frameHead:])
		return nil
	}
	if len(b) < frameKeyed {
		return errRecord
	}
	copy(f.key[:], b[frameHead:])
	rest := b[frameKeyed:]
	switch f.kind {
	case framePut:
		return f.parsePut(rest)
	case frameDelete:
		if len(rest) == 0 {
			return nil
		}
	case frameTouch:
		if len(rest) == 8 {
			f.lastUse = binary.LittleEndian.Uint32(rest)
			f.uses = binary.LittleEndian.Uint32(rest[4:])
			return nil
		}
	}
	return errRecord
}

func (f *frame) parsePut(b []byte) error {
	rest, err := parseRecordBody(b, &f.rec)
	if err != nil || len(rest) < 4 {
		return errRecord
	}
	n := int64(binary.LittleEndian.Uint32(rest)) * factBytes
	if n > int64(len(rest)-4) {
		return errRecord
	}
	f.facts, f.area = rest[4:4+n], rest[4+n:]
	if f.rec.inline() && int64(len(f.area)) < f.rec.content {
		return errRecord
	}
	return nil
}

// contents returns the bytes of the lone output or of the table when they are inline. They end the
// area; a table's inline items stand before it.
func (f *frame) contents() []byte { return f.area[int64(len(f.area))-f.rec.content:] }
