package ipc

// frameKind is the type byte of a frame.
type frameKind uint8

const (
	frameRequest  frameKind = 1 + iota // the first piece of a request
	frameResponse                      // the first piece of an answer; ends a stream well
	frameError                         // an error answer; ends a stream badly
	framePiece                         // a further piece of a request or an answer
	frameChunk                         // a part of a stream
	frameCredit                        // room for more chunks
	frameCancel                        // the caller has given up
	frameGoAway                        // later requests will not run
)

// frameFlags change what a frame means.
type frameFlags uint8

const (
	flagMore   frameFlags = 1 << iota // pieces of the same message follow
	flagStream                        // the request opens a stream
	flagEnd                           // the chunk is the last in its direction
	flagFile                          // request: a descriptor is welcome; answer: one is attached

	knownFlags = flagMore | flagStream | flagEnd | flagFile
)

// headerSize is the size of a frame's header.
const headerSize = 24

// Bounds of the protocol. The wire is described in PROTOCOL.md.
const (
	pieceSize    = 256 << 10 // most of a message in one frame of a multiplexed connection
	chunkSize    = 64 << 10  // most bytes of a stream in one frame
	streamChunks = 4         // chunks of a stream that wait for the reader
)

// callID identifies a call on its connection: slots are used again, with another generation.
type callID struct{ slot, gen uint32 }

// header is the fixed part of a frame.
type header struct {
	length uint32 // of the payload
	kind   frameKind
	flags  frameFlags
	op     uint16
	id     callID
	// extra is the budget in milliseconds in a request (0: none), the bytes of the message
	// that follow in pieces in an answer, the number of chunks in a credit.
	extra uint32
}

// appendHeader appends the 24 bytes of h.
func appendHeader(b []byte, h header) []byte {
	start := len(b)
	b = append32(b, h.length)
	b = append(b, byte(h.kind), byte(h.flags), byte(h.op), byte(h.op>>8))
	b = append32(b, h.id.slot)
	b = append32(b, h.id.gen)
	b = append32(b, h.extra)
	return append32(b, headerSum(b[start:]))
}

// parseHeader reads the header at the start of b, which has at least headerSize bytes.
func parseHeader(b []byte) (header, error) {
	if headerSum(b) != uint32At(b, headerSize-4) {
		return header{}, errCheck
	}
	h := header{
		length: uint32At(b, 0),
		kind:   frameKind(b[4]),
		flags:  frameFlags(b[5]),
		op:     uint16(b[6]) | uint16(b[7])<<8,
		id:     callID{uint32At(b, 8), uint32At(b, 12)},
		extra:  uint32At(b, 16),
	}
	if h.kind < frameRequest || h.kind > frameGoAway || h.flags&^knownFlags != 0 {
		return header{}, errUnknownFrame
	}
	return h, nil
}

// Package encoding/binary, which has these, needs package reflect: that would slow down the start of
// programs that make one call.

func append32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func append64(b []byte, v uint64) []byte {
	return append32(append32(b, uint32(v)), uint32(v>>32))
}

func uint32At(b []byte, i int) uint32 {
	b = b[i : i+4]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// uint64Of reads up to eight bytes, so that a number may grow in a later version.
func uint64Of(b []byte) (v uint64) {
	for i, c := range b[:min(8, len(b))] {
		v |= uint64(c) << (8 * i)
	}
	return v
}
