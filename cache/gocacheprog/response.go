package gocacheprog

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// response is one line of output. Fields with their zero value are left out, except ID.
type response struct {
	ID            int64
	Err           string
	KnownCommands []string
	Miss          bool
	Output        ID
	HasOutput     bool
	Size          int64
	Time          time.Time
	DiskPath      string
}

// appendTo appends the line, in the field order and the escaping of encoding/json.
func (r *response) appendTo(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"ID":`...), r.ID, 10)
	if r.Err != "" {
		b = appendQuoted(append(b, `,"Err":`...), r.Err)
	}
	if len(r.KnownCommands) > 0 {
		b = appendList(append(b, `,"KnownCommands":`...), r.KnownCommands)
	}
	if r.Miss {
		b = append(b, `,"Miss":true`...)
	}
	if r.HasOutput {
		b = base64.StdEncoding.AppendEncode(append(b, `,"OutputID":"`...), r.Output[:])
		b = append(b, '"')
	}
	if r.Size != 0 {
		b = strconv.AppendInt(append(b, `,"Size":`...), r.Size, 10)
	}
	b = appendTime(b, r.Time)
	if r.DiskPath != "" {
		b = appendQuoted(append(b, `,"DiskPath":`...), r.DiskPath)
	}
	return append(b, "}\n"...)
}

// appendTime appends the time field. It is optional to the go command, so that a time
// its decoder would refuse is left out.
func appendTime(b []byte, t time.Time) []byte {
	if year := t.Year(); t.IsZero() || year < 0 || year > 9999 {
		return b
	}
	b = t.UTC().AppendFormat(append(b, `,"Time":"`...), time.RFC3339Nano)
	return append(b, '"')
}

// nameable reports whether an answer can tell a path: JSON has no bytes but UTF-8, and what stands
// in for others would name another file.
func nameable(path string) bool { return path != "" && utf8.ValidString(path) }

func appendList(b []byte, list []string) []byte {
	sep := byte('[')
	for _, s := range list {
		b = appendQuoted(append(b, sep), s)
		sep = ','
	}
	return append(b, ']')
}

// appendQuoted appends s as a JSON string.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return appendEscaped(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendEscaped(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always has an encoding
		return append(b, `""`...)
	}
	return append(b, quoted...)
}
