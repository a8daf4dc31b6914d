package gocacheprog

import "sync/atomic"

// Counters say what a session has done so far. They may be read at any time.
type Counters struct {
	Gets     atomic.Int64 // requests for an output
	Hits     atomic.Int64 // gets that were answered with a file
	Puts     atomic.Int64 // outputs that the go command handed over
	Kept     atomic.Int64 // puts that the store did not take and a session folder keeps
	Refused  atomic.Int64 // puts that were answered with an error
	PutBytes atomic.Int64 // bytes of the outputs handed over
	HitBytes atomic.Int64 // bytes of the outputs answered
}
