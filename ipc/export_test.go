package ipc

import (
	"io"
	"os"
	"time"
	"unsafe"
)

// What tests of the wire need to be the other end.

type RawFrame struct {
	Kind, Flags byte
	Op          uint16
	Slot, Gen   uint32
	Extra       uint32
	Payload     []byte
}

const (
	KindRequest, KindResponse, KindError = byte(frameRequest), byte(frameResponse), byte(frameError)
	KindPiece, KindChunk, KindCredit     = byte(framePiece), byte(frameChunk), byte(frameCredit)
	KindCancel, KindGoAway               = byte(frameCancel), byte(frameGoAway)

	FlagMore, FlagStream = byte(flagMore), byte(flagStream)
	FlagEnd, FlagFile    = byte(flagEnd), byte(flagFile)

	HeaderSize  = headerSize
	AckHeadSize = ackHeadSize
	PingSlot    = pingSlot
	CodeBusy    = codeBusy
)

// Append appends the frame as it is on the wire.
func (f RawFrame) Append(b []byte) []byte {
	return append(f.AppendHeader(b, uint32(len(f.Payload))), f.Payload...)
}

func (f RawFrame) header() header {
	return header{uint32(len(f.Payload)), frameKind(f.Kind), frameFlags(f.Flags), f.Op, callID{f.Slot, f.Gen}, f.Extra}
}

// AppendHeader appends the header, with any length.
func (f RawFrame) AppendHeader(b []byte, length uint32) []byte {
	h := f.header()
	h.length = length
	return appendHeader(b, h)
}

// ReadRawFrame reads one frame.
func ReadRawFrame(r io.Reader) (RawFrame, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return RawFrame{}, err
	}
	h, err := parseHeader(head[:])
	if err != nil {
		return RawFrame{}, err
	}
	f := RawFrame{byte(h.kind), byte(h.flags), h.op, h.id.slot, h.id.gen, h.extra, make([]byte, h.length)}
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

// RawHello is a hello of a role: 1 lockstep, 2 multiplexed.
func RawHello(r byte) []byte {
	return appendHello(nil, hello{lowest: versionLowest, highest: versionHighest, role: role(r)})
}

// ReadRawHello reads a hello.
func ReadRawHello(r io.Reader) error {
	var b [helloSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return err
	}
	_, err := parseHello(b[:])
	return err
}

// RawAck is an acknowledgement that allows some calls at a time.
func RawAck(version uint16, calls int) []byte {
	fields := appendNumber(nil, tagMaxCalls, uint64(calls))
	return append(RawAckHead(version, uint16(len(fields))), fields...)
}

// RawAckHead is the head of an acknowledgement, with any length.
func RawAckHead(version, length uint16) []byte {
	return appendAckHead(nil, ackHead{version: version, length: length})
}

// ReadRawAck reads an acknowledgement and returns its fields.
func ReadRawAck(r io.Reader) ([]byte, error) {
	b := make([]byte, ackHeadSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	head, err := parseAckHead(b)
	if err != nil {
		return nil, err
	}
	fields := make([]byte, head.length)
	_, err = io.ReadFull(r, fields)
	return fields, err
}

// RawGoAway is the payload of a go-away.
func RawGoAway(code uint32, reason string, admitted int64) []byte {
	return appendGoAway(nil, &RemoteError{code, reason}, admitted)
}

// SendRights writes p with the descriptor of other beside it.
func SendRights(f *os.File, p []byte, other *os.File) error {
	var w wire
	if err := w.open(f); err != nil {
		return err
	}
	if err := w.attach(other); err != nil {
		return err
	}
	_, err := w.write(true, p, nil, nil)
	return err
}

var ErrUnread = errUnread

// SetClock has the system's clock show d more than ours, as it does once somebody has set it. It takes effect on whole
// seconds; back undoes it.
func SetClock(d time.Duration) (back func()) {
	before := loaded
	wall := (*uint64)(unsafe.Pointer(&loaded)) // with a monotonic clock, seconds are counted from its 30th bit on
	*wall -= uint64(d/time.Second) << 30
	return func() { loaded = before }
}

// Running returns the calls of c that have a slot.
func Running(c *Client) int {
	m := c.current.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running
}

// Usable reports whether new calls begin on the current connection of c.
func Usable(c *Client) bool { return c.current.Load().usable() }

// Writing reports whether somebody has the turn to write.
func Writing(c *Client) bool { return len(c.current.Load().out.turn) > 0 }

// TakeTurn takes the turn to write from the callers of c. The function that it returns gives it back.
func TakeTurn(c *Client) (release func()) {
	o := &c.current.Load().out
	o.turn <- struct{}{}
	return o.release
}

// WantTurn returns the callers of c that wait for the turn.
func WantTurn(c *Client) int { return int(c.current.Load().out.waiting.Load()) }

// AddRaw lets a frame wait for whoever writes.
func AddRaw(c *Client, f RawFrame) { c.current.Load().out.add(f.header(), f.Payload) }

// Held returns the calls whose answer is not yet written, and the bytes of their requests.
func Held(s *Server) (calls, memory int64) { return s.held.Load(), s.memory.Load() }

const PassesFiles = passesFiles

// RawWholeAck is an acknowledgement as a server sends it.
func RawWholeAck(info ServerInfo, version uint16, features uint32, message, calls uint64) []byte {
	return appendAck(nil, ackHead{version: version, features: features}, &info, message, calls)
}

// AppendRawStatus appends the answer to a status request.
func AppendRawStatus(b []byte, s Status) []byte { return appendStatus(b, &s) }

// ParseRawStatus reads it.
func ParseRawStatus(b []byte) (Status, error) { return parseStatus(b) }

// Reading reports whether a caller of c reads for all.
func Reading(c *Client) bool {
	m := c.current.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reading
}

// Waiting returns the callers for whom another reads.
func Waiting(c *Client) int {
	m := c.current.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting)
}

// ClientDefaults and ServerDefaults are options with the defaults filled in.
func ClientDefaults(o *ClientOptions) ClientOptions { return o.withDefaults() }

func ServerDefaults() ServerOptions { return NewServer(nil).o }

// Queued returns the bytes of frames that wait for whoever writes.
func Queued(c *Client) int {
	o := &c.current.Load().out
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf)
}

// AppendRawError appends the payload of an error answer.
func AppendRawError(b []byte, e *RemoteError) []byte { return appendRemote(b, e) }

// Idle returns for how long s has had nothing to do.
func Idle(s *Server) time.Duration { return s.idle() }

// Neglect makes s older by d, and leaves it nothing that it would have done meanwhile.
func Neglect(s *Server, d time.Duration) {
	s.started = s.started.Add(-d)
	s.touched.Store(0)
}
