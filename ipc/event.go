package ipc

import "time"

// Kinds of events.
const (
	EventPanic         = "panic"          // a handler panicked; Err has the value and the stack
	EventRefusedPeer   = "refused-peer"   // a process of another user connected
	EventAccept        = "accept"         // accepting fails, such as for lack of descriptors
	EventAcceptAgain   = "accept-again"   // and works again
	EventBroken        = "broken"         // a client violated the protocol
	EventDraining      = "draining"       // a server begins to drain
	EventDiedIdle      = "died-idle"      // a server ends for lack of use
	EventDiedRequest   = "died-request"   // a server ends because it was asked to
	EventDiedCancelled = "died-cancelled" // a server ends because its context has
)

// Event is something that happened to a server or in its life cycle and that no returned error
// tells. A hook gets it on the goroutine where it happened and must not block; fields
// that do not apply are zero.
type Event struct {
	Time       time.Time
	Kind       string
	Endpoint   string
	PID        int    // of the process that reports
	Peer       int    // of the process at the other end of the connection
	Server     int    // of the server meant; of the new one in a take-over
	Old        int    // of the server that is replaced
	Instance   string // of Server
	Version    string // of the program that reports
	Executable string
	Reason     string
	Link       string // equal in the events that belong together
	Took       time.Duration
	Count      int64 // figure of the event: calls, failures, owners
	Err        error
}
