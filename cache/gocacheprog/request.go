package gocacheprog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// The commands of the protocol, as Go 1.24 to 1.26 send them.
const (
	commandGet   = "get"
	commandPut   = "put"
	commandClose = "close"
)

// request is one line of input. The go command numbers requests from one; zero is the
// announcement, so a request with ID zero cannot be answered.
type request struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	BodySize int64

	actionBuf, outputBuf [33]byte // hold the two IDs; base64 decodes in threes
}

// action is the action ID as the store knows it; false when it is not one of the go
// command's.
func (q *request) action() (id ID, ok bool) {
	return id, copy(id[:], q.ActionID) == len(id) && len(q.ActionID) == len(id)
}

// decode reads one line. It reports false when there is no ID to answer to. A field
// that cannot be read otherwise is left empty, and err says why.
func (q *request) decode(line []byte) (ok bool, err error) {
	if q.decodeUsual(line) {
		return q.ID != 0, nil
	}
	return q.decodeAny(line)
}

// decodeAny accepts whatever package encoding/json does.
func (q *request) decodeAny(line []byte) (ok bool, err error) {
	var v struct {
		ID       *int64
		Command  string
		ActionID []byte
		OutputID []byte
		BodySize int64
	}
	err = json.Unmarshal(line, &v)
	*q = request{
		Command: v.Command, ActionID: v.ActionID, OutputID: v.OutputID, BodySize: v.BodySize,
	}
	if v.ID != nil {
		q.ID = *v.ID
	}
	return q.ID != 0, err
}

// decodeUsual reads a line as the go command writes it, without reflection and without
// allocating, and reports whether it could. What it accepts means the same to
// encoding/json, which a fuzz test holds it to.
func (q *request) decodeUsual(line []byte) bool {
	q.ID, q.Command, q.ActionID, q.OutputID, q.BodySize = 0, "", nil, nil, 0
	rest, ok := bytes.CutPrefix(line, []byte{'{'})
	for ok {
		var name []byte
		if name, rest, ok = cutString(rest); !ok || len(rest) == 0 || rest[0] != ':' {
			return false
		}
		if rest, ok = q.decodeField(name, rest[1:]); !ok || len(rest) == 0 {
			return false
		}
		switch rest[0] {
		case ',':
			rest = rest[1:]
		case '}':
			return len(bytes.TrimLeft(rest[1:], " \t\r\n")) == 0
		default:
			return false
		}
	}
	return false
}

// decodeField reads the value of one field from the start of b.
func (q *request) decodeField(name, b []byte) (rest []byte, ok bool) {
	switch string(name) {
	case "ID":
		q.ID, rest, ok = cutInt(b)
	case "BodySize":
		q.BodySize, rest, ok = cutInt(b)
	case "ActionID":
		q.ActionID, rest, ok = cutID(b, &q.actionBuf)
	case "OutputID":
		q.OutputID, rest, ok = cutID(b, &q.outputBuf)
	case "Command":
		q.Command, rest, ok = cutCommand(b)
	}
	return rest, ok
}

// cutString reads a JSON string that needs no unescaping.
func cutString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[1:i], b[i+1:], true
		case c == '\\' || c < ' ' || c > '~':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// cutCommand reads one of the known commands, so that its name need not be copied.
func cutCommand(b []byte) (command string, rest []byte, ok bool) {
	s, rest, ok := cutString(b)
	switch string(s) {
	case commandGet:
		command = commandGet
	case commandPut:
		command = commandPut
	case commandClose:
		command = commandClose
	default:
		ok = false
	}
	return command, rest, ok
}

// cutInt reads a JSON integer of at most 18 digits, which cannot overflow.
func cutInt(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < 18 && '0' <= b[i] && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	if i == 0 || i > 1 && b[0] == '0' || i == len(b) || b[i] != ',' && b[i] != '}' {
		return 0, nil, false
	}
	return n, b[i:], true
}

// cutID reads 32 bytes in base64 into dst.
func cutID(b []byte, dst *[33]byte) (id, rest []byte, ok bool) {
	s, rest, ok := cutString(b)
	if !ok || len(s) != base64.StdEncoding.EncodedLen(len(ID{})) {
		return nil, nil, false
	}
	n, err := base64.StdEncoding.Decode(dst[:], s)
	if err != nil || n != len(ID{}) {
		return nil, nil, false
	}
	return dst[:n:n], rest, true
}
