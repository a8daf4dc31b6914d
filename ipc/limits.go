package ipc

import "time"

// Limits bound what clients can make a server do; a zero field is its default. Beyond them, calls
// and connections are refused with an [ErrBusy] or an [ErrTooLarge] before a handler sees them;
// ping, status and shutdown are answered nevertheless. A client that takes longer than Header or
// Stall is disconnected.
type Limits struct {
	Connections        int           // 0 is 1024
	CallsPerConnection int           // 0 is 256, more than 4096 is 4096: each has room of its own
	Calls              int           // in all; 0 is 4096
	MaxMessage         int           // bytes of a request; 0 is 64 MiB
	Memory             int           // bytes of all requests that are held; 0 is 1 GiB
	Header             time.Duration // for the rest of a frame's header; 0 is 10 s
	Stall              time.Duration // for a client to read something; 0 is 5 min
}

// spareConnections are served beyond the limit, for control operations only.
const spareConnections = 64

func (l *Limits) setDefaults() {
	setDefault(&l.Connections, 1024)
	setDefault(&l.CallsPerConnection, defaultMaxCalls)
	l.CallsPerConnection = min(l.CallsPerConnection, mostSlots)
	setDefault(&l.Calls, 4096)
	setDefault(&l.MaxMessage, defaultMaxMessage)
	setDefault(&l.Memory, 1<<30)
	setDefault(&l.Header, 10*time.Second)
	setDefault(&l.Stall, 5*time.Minute)
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
