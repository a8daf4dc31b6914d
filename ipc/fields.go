package ipc

import "unicode/utf8"

// A field is a tag of one byte, a length of two and its contents. Acknowledgement, status and the
// control operations are lists of fields; one whose tag is unknown is skipped.
const (
	fieldHead = 3
	maxText   = 1 << 10 // longer ones are cut
)

// Tags that acknowledgement and status share. A tag never changes its meaning.
const (
	tagVersion     = 1 + iota // of the server, text
	tagInstance               // 16 random bytes
	tagPID                    // number
	tagStart                  // number: tells processes with one number apart
	tagState                  // number: see State
	tagMaxMessage             // number, bytes
	tagMaxCalls               // number: slots of this connection
	tagReason                 // text: why the server drains
	tagUptime                 // number, nanoseconds
	tagConnections            // number
	tagRunning                // number: calls that run now
	tagStreams                // number: of these, streams
	tagLeases                 // number
	tagCalls                  // number: ever begun
	tagFailed                 // number: of these, answered with an error
	tagRefused                // number: calls and connections refused
	tagPanics                 // number
	tagLatency                // numbers of 8 bytes, see Histogram
	tagProcessed              // number: bytes of the connection up to the last call let in
	tagCode                   // number: why the server takes no calls
)

func appendField(b []byte, tag byte, contents string) []byte {
	if len(contents) > maxText {
		n := maxText
		for n > 0 && !utf8.RuneStart(contents[n]) {
			n--
		}
		contents = contents[:n]
	}
	b = append(b, tag, byte(len(contents)), byte(len(contents)>>8))
	return append(b, contents...)
}

func appendNumber(b []byte, tag byte, v uint64) []byte {
	return append64(append(b, tag, 8, 0), v)
}

// eachField calls f for every field in b.
func eachField(b []byte, f func(tag byte, contents []byte)) error {
	for len(b) > 0 {
		if len(b) < fieldHead {
			return errFields
		}
		n := int(b[1]) | int(b[2])<<8
		if len(b)-fieldHead < n {
			return errFields
		}
		f(b[0], b[fieldHead:fieldHead+n])
		b = b[fieldHead+n:]
	}
	return nil
}
