package ipc

import "math"

// The versions of the protocol that this package speaks.
const (
	versionLowest  = 1
	versionHighest = 1
)

// role says how a client uses its connection.
type role uint8

const (
	roleLockstep    role = 1 // one call at a time, each message in one frame
	roleMultiplexed role = 2 // many calls at a time, messages in pieces
)

// piece returns how many bytes of a message one frame may hold.
func (r role) piece() int {
	if r == roleLockstep {
		return math.MaxInt32
	}
	return pieceSize
}

// Feature bits of hello and acknowledgement.
const featureFiles = 1 << 0 // descriptors travel beside the bytes

const (
	helloSize   = 16
	ackHeadSize = 16
	ackFieldMax = 4096 // bytes of fields that a client accepts

	magicHello = "LIPC"
	magicAck   = "LIPA"
)

// hello is what a client sends first, together with its first request.
type hello struct {
	lowest, highest uint16
	features        uint32
	role            role
}

func appendHello(b []byte, h hello) []byte {
	b = append(b, magicHello...)
	b = append(b, byte(h.lowest), byte(h.lowest>>8), byte(h.highest), byte(h.highest>>8))
	b = append32(b, h.features)
	return append(b, byte(h.role), 0, 0, 0)
}

// parseHello reads the 16 bytes of a hello. Versions that do not overlap with ours are no
// error here: the acknowledgement says so.
func parseHello(b []byte) (hello, error) {
	h := hello{
		lowest:   uint16(b[4]) | uint16(b[5])<<8,
		highest:  uint16(b[6]) | uint16(b[7])<<8,
		features: uint32At(b, 8),
		role:     role(b[12]),
	}
	known := h.role == roleLockstep || h.role == roleMultiplexed
	if string(b[:4]) != magicHello || !known || h.lowest > h.highest {
		return hello{}, errHello
	}
	return h, nil
}

// commonVersion returns the highest version that both ends speak, 0 if there is none.
func commonVersion(h hello) uint16 {
	if v := min(h.highest, versionHighest); v >= max(h.lowest, versionLowest) {
		return v
	}
	return 0
}

// ackHead is the fixed part of the server's answer to a hello.
type ackHead struct {
	version  uint16 // 0: none in common
	length   uint16 // of the fields that follow
	features uint32
}

func appendAckHead(b []byte, a ackHead) []byte {
	start := len(b)
	b = append(b, magicAck...)
	b = append(b, byte(a.version), byte(a.version>>8), byte(a.length), byte(a.length>>8))
	b = append32(b, a.features)
	return append32(b, ackSum(b[start:]))
}

func parseAckHead(b []byte) (ackHead, error) {
	if string(b[:4]) != magicAck || ackSum(b) != uint32At(b, ackHeadSize-4) {
		return ackHead{}, errHello
	}
	a := ackHead{
		version:  uint16(b[4]) | uint16(b[5])<<8,
		length:   uint16(b[6]) | uint16(b[7])<<8,
		features: uint32At(b, 8),
	}
	if a.length > ackFieldMax {
		return ackHead{}, errHello
	}
	return a, nil
}

// appendAck appends a whole acknowledgement.
func appendAck(b []byte, a ackHead, info *ServerInfo, maxMessage, maxCalls uint64) []byte {
	fields := appendInfo(nil, info)
	fields = appendNumber(fields, tagMaxMessage, maxMessage)
	fields = appendNumber(fields, tagMaxCalls, maxCalls)
	a.length = uint16(len(fields))
	return append(appendAckHead(b, a), fields...)
}
