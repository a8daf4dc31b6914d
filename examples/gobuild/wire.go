package main

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
	"github.com/larderbuild/larder/ipc"
)

// Operations of the broker. Numbers are little endian; IDs are 32 bytes.
const (
	opSession = 1 // stream: the session's number, u64, comes, then what guide sends; the session lasts as long as it
	opGet     = 2 // number, action, the one asked for before (itself: note none); an object, or nothing for a miss
	opPut     = 3 // number, action, output, body; the answer is an object
	opUpload  = 4 // stream: number, action, output; the body goes, an object comes
	opCommand = 5 // words of a command line, each with a zero byte behind it; see answer
)

// codeNoSession is the error of a session that this broker does not know: it began with another one.
const codeNoSession = ipc.CodeHost

// putHead is what the payload of a put begins with.
type putHead struct {
	session        uint64
	action, output gocacheprog.ID
}

const getBytes = 8 + 32 + 32

const putHeadBytes = 8 + 32 + 32

func (h *putHead) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, h.session)
	return append(append(b, h.action[:]...), h.output[:]...)
}

var errShort = errors.New("gobuild: a message of the broker is too short")

func parsePutHead(b []byte) (h putHead, rest []byte, err error) {
	if len(b) < putHeadBytes {
		return h, nil, errShort
	}
	h.session = binary.LittleEndian.Uint64(b)
	copy(h.action[:], b[8:])
	copy(h.output[:], b[40:])
	return h, b[putHeadBytes:], nil
}

// objectBytes is the size of an object without its path.
const objectBytes = 32 + 8 + 8

func appendObject(b []byte, o *gocacheprog.Object) []byte {
	b = append(b, o.Output[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(o.Size))
	b = binary.LittleEndian.AppendUint64(b, uint64(o.Time.UnixNano()))
	return append(b, o.Path...)
}

func parseObject(b []byte) (o gocacheprog.Object, err error) {
	if len(b) < objectBytes {
		return o, errShort
	}
	copy(o.Output[:], b)
	o.Size = int64(binary.LittleEndian.Uint64(b[32:]))
	o.Time = time.Unix(0, int64(binary.LittleEndian.Uint64(b[40:])))
	o.Path = string(b[objectBytes:])
	return o, nil
}
