// Package goprog speaks the go command's cache-program protocol, from both ends: [Serve] for the
// programs of this benchmark, [Client] for filling a program under test without a go command. It
// is written for trusted ends only.
package goprog

import (
	"time"
)

// ID is an action's or an output's identity.
type ID [32]byte

// request is one line from the go command. After a put with a body comes a line that is the body as
// one JSON string of base64.
type request struct {
	ID       int64
	Command  string
	ActionID []byte `json:",omitempty"`
	OutputID []byte `json:",omitempty"`
	BodySize int64  `json:",omitempty"`
}

// response is one line to the go command.
type response struct {
	ID            int64      `json:",omitempty"`
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

// Commands of the protocol.
const (
	get       = "get"
	put       = "put"
	closeDown = "close"
)
