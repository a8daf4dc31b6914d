package gocacheprog

import (
	"context"
	"io"
	"strings"
	"time"
)

// Request is a decoded line, without what it is stored in.
type Request struct {
	ID                 int64
	Command            string
	ActionID, OutputID []byte
	BodySize           int64
}

func (q *request) export() Request {
	return Request{q.ID, q.Command, q.ActionID, q.OutputID, q.BodySize}
}

// Decode is what the session does with a line.
func Decode(line []byte) (Request, bool, error) {
	var q request
	ok, err := q.decode(line)
	return q.export(), ok, err
}

// DecodeUsual decodes without encoding/json, or reports false.
func DecodeUsual(line []byte) (Request, bool) {
	var q request
	ok := q.decodeUsual(line)
	return q.export(), ok
}

// Decoder returns a function that decodes into the same request each time.
func Decoder() func(line []byte) bool {
	var q request
	return q.decodeUsual
}

// Response mirrors the go command's own type, as far as it is sent.
type Response struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

// AppendTo encodes r as the session does.
func (r *Response) AppendTo(b []byte) []byte {
	v := response{
		ID: r.ID, Err: r.Err, KnownCommands: r.KnownCommands, Miss: r.Miss,
		HasOutput: r.OutputID != nil, Size: r.Size, DiskPath: r.DiskPath,
	}
	copy(v.Output[:], r.OutputID)
	if r.Time != nil {
		v.Time = *r.Time
	}
	return v.appendTo(b)
}

// Body is a body and the input behind it.
type Body struct {
	*body
	in *input
}

// NewBody reads the body of a put from r.
func NewBody(r io.Reader, size int64, output []byte) Body {
	in := newInput(r)
	return Body{newBody(in, &request{BodySize: size, OutputID: output}), in}
}

// Rest is the next line of input behind the body.
func (b Body) Rest() string {
	line, err := b.in.line()
	if err != nil {
		return err.Error()
	}
	return strings.Clone(string(line))
}

// How a body ends, and the bounds of bodies and lines.
var (
	ErrAbandoned = errAbandoned
	ErrBody      = errBody
	ErrChanged   = errChanged
)

const (
	MaxInMemory   = maxInMemory
	MaxLine       = maxLine
	SessionPrefix = sessionPrefix
	KeepFor       = keepFor
	StuckGet      = stuckGet
)

// Sweep removes old session folders.
func Sweep(ctx context.Context, parent string, now time.Time) error {
	return sweep(ctx, parent, now)
}

// DecodeBase64 decodes what it can and returns how many characters that were.
func DecodeBase64(dst, src []byte) int { return base64Table().decode(dst, src) }
