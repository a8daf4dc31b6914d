package main

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/larderbuild/larder/buildabi"
)

// The directions of a record.
const (
	toClient   = "s2c"
	fromClient = "c2s"
)

// record is one line of a recording.
type record struct {
	Time json.Number `json:"t_ms"`
	Dir  string      `json:"dir"`
	Hex  string      `json:"hex"`

	line  int // from 1
	bytes []byte
}

func parseRecording(b []byte) (records []record, err error) {
	lines := json.NewDecoder(bytes.NewReader(b))
	for n := 1; ; n++ {
		r := record{line: n}
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err == nil {
			r.bytes, err = hex.DecodeString(r.Hex)
		}
		if err == nil && r.Dir != toClient && r.Dir != fromClient {
			err = fmt.Errorf("dir is %q, neither %s nor %s", r.Dir, toClient, fromClient)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: neither a recording nor a coverage file: %w", n, err)
		}
		records = append(records, r)
	}
}

// parse decodes the message in its direction.
func (r *record) parse(v buildabi.Version) (encoding.BinaryAppender, error) {
	if r.Dir == fromClient {
		return buildabi.ParseClient(r.bytes)
	}
	return buildabi.Parse(v, r.bytes)
}
