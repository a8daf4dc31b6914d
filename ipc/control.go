package ipc

import "time"

// Control operations: the first byte of the payload of a request for operation 0.
const (
	controlPing = 1 + iota
	controlStatus
	controlShutdown
)

var errControl error = &failure{text: "it belongs to the library"}

// Slots that no call has.
const (
	pingSlot    = 1<<32 - 1 // answers to pings that a waiting client sent
	controlSlot = 1<<32 - 2 // control operations, one at a time
)

// State is what a server does.
type State uint8

const (
	Starting State = 1 + iota // it answers control operations only, and will be ready
	Ready                     // it takes calls
	Draining                  // it ends: calls that run are finished, others refused
)

var stateNames = [...]string{"unknown", "starting", "ready", "draining"}

// String returns the state in one word.
func (s State) String() string {
	if int(s) >= len(stateNames) {
		return stateNames[0]
	}
	return stateNames[s]
}

// ServerInfo says who serves.
type ServerInfo struct {
	Version  string  // of the host, as in its ServerOptions
	Instance string  // 32 hexadecimal digits, random unless [ServerOptions] gave them
	Process  Process // as the server says
	State    State
	Reason   string // why it drains
	Protocol int    // version of the protocol that was chosen
}

// Status is what a server tells of itself.
type Status struct {
	ServerInfo
	Uptime      time.Duration
	Connections int
	Running     int   // calls that run now, streams included
	Streams     int   // of these, streams
	Leases      int   // see [Server.Lease]
	Calls       int64 // ever begun
	Failed      int64 // of these, answered with an error
	Refused     int64 // calls and connections that were refused
	Panics      int64 // handlers that panicked
	Latency     Histogram
}

// Histogram counts calls by the time from the arrival of the request to the return of its handler:
// element i those that took less than 2^i microseconds and were not counted before, the last one all
// others.
type Histogram [32]int64

// Total returns the number of calls counted.
func (h *Histogram) Total() (n int64) {
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile returns an upper bound of the time that a part q of the calls, 0 to 1, took.
func (h *Histogram) Quantile(q float64) time.Duration {
	var n int64
	limit := int64(q * float64(h.Total()))
	for i, c := range h {
		if n += c; n > limit || n > 0 && n == h.Total() {
			return time.Microsecond << i
		}
	}
	return 0
}

func appendInfo(b []byte, s *ServerInfo) []byte {
	b = appendField(b, tagVersion, s.Version)
	b = appendField(b, tagInstance, unhex(s.Instance))
	b = appendNumber(b, tagPID, uint64(s.Process.PID))
	b = appendNumber(b, tagStart, s.Process.Start)
	b = appendNumber(b, tagState, uint64(s.State))
	if s.Reason != "" {
		b = appendField(b, tagReason, s.Reason)
	}
	return b
}

func (s *ServerInfo) field(tag byte, contents []byte) {
	switch tag {
	case tagVersion:
		s.Version = string(contents)
	case tagInstance:
		s.Instance = hex(contents)
	case tagPID:
		s.Process.PID = int(uint64Of(contents))
	case tagStart:
		s.Process.Start = uint64Of(contents)
	case tagState:
		s.State = State(uint64Of(contents))
	case tagReason:
		s.Reason = string(contents)
	}
}

// appendStatus appends the answer to a status request.
func appendStatus(b []byte, s *Status) []byte {
	b = appendInfo(b, &s.ServerInfo)
	b = appendNumber(b, tagUptime, uint64(s.Uptime))
	for _, n := range [...]struct {
		tag byte
		v   int64
	}{
		{tagConnections, int64(s.Connections)}, {tagRunning, int64(s.Running)},
		{tagStreams, int64(s.Streams)}, {tagLeases, int64(s.Leases)}, {tagCalls, s.Calls},
		{tagFailed, s.Failed}, {tagRefused, s.Refused}, {tagPanics, s.Panics},
	} {
		b = appendNumber(b, n.tag, uint64(n.v))
	}
	b = append(b, tagLatency, byte(8*len(s.Latency)&0xff), byte(8*len(s.Latency)>>8))
	for _, c := range s.Latency {
		b = append64(b, uint64(c))
	}
	return b
}

func parseStatus(b []byte) (s Status, err error) {
	err = eachField(b, func(tag byte, contents []byte) {
		v := int64(uint64Of(contents))
		switch tag {
		case tagUptime:
			s.Uptime = time.Duration(v)
		case tagConnections:
			s.Connections = int(v)
		case tagRunning:
			s.Running = int(v)
		case tagStreams:
			s.Streams = int(v)
		case tagLeases:
			s.Leases = int(v)
		case tagCalls:
			s.Calls = v
		case tagFailed:
			s.Failed = v
		case tagRefused:
			s.Refused = v
		case tagPanics:
			s.Panics = v
		case tagLatency:
			for i := 0; i < len(s.Latency) && 8*i+8 <= len(contents); i++ {
				s.Latency[i] = int64(uint64Of(contents[8*i:]))
			}
		default:
			s.field(tag, contents)
		}
	})
	return s, err
}

const hexDigits = "0123456789abcdef"

// hex is hex.EncodeToString. That package needs package fmt, which would slow down the start of
// programs that make one call.
func hex(b []byte) string {
	s := make([]byte, 0, 2*len(b))
	for _, c := range b {
		s = append(s, hexDigits[c>>4], hexDigits[c&15])
	}
	return string(s)
}

// unhex is the inverse of hex, and nonsense for what hex did not make.
func unhex(s string) string {
	b := make([]byte, len(s)/2)
	for i := range b {
		b[i] = digit(s[2*i])<<4 | digit(s[2*i+1])
	}
	return string(b)
}

func digit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
