package lifecycle

import (
	"os"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// Kinds of events. Those of a claim come from the server, the others from clients.
const (
	EventClaimed   = "claimed"   // the server owns the endpoint
	EventListening = "listening" // clients can connect
	EventRefusing  = "refusing"  // no further client can connect
	EventReleased  = "released"  // the endpoint is free

	EventDiedOwners = "died-owners" // the server's last owner has ended; Count of all there were

	EventSpawnAttempt = "spawn-attempt" // written before the host's Spawn is called
	EventSpawned      = "spawned"       // Spawn has returned
	EventReady        = "ready"         // the started server answers; Took since the attempt
	EventSpawnFailed  = "spawn-failed"  // it will not; Err says why, Count how often in a row
	EventBackoff      = "backoff"       // not started because it has failed before; Err says why

	EventUnanswered = "unanswered" // a server does not answer a probe; Err says why
	EventStopAsked  = "stop-asked" // a server was told to drain
	EventKill       = "kill"       // written before the host's Kill is called
	EventStopped    = "stopped"    // its claim is free and its process gone; Reason says how

	// A take-over is two events with one Link, Old and Reason: the first when the old server is
	// gone, the second, whose Server is the new one, when that is ready.
	EventReplacing = "replacing"
	EventReplaced  = "replaced"
)

// reporter completes events with what is the same in all of them.
type reporter struct {
	ep         ipc.Endpoint
	version    string
	executable string
	events     func(ipc.Event)
}

func (r *reporter) report(e ipc.Event) {
	if r.events == nil {
		return
	}
	e.Time, e.PID, e.Endpoint = time.Now(), os.Getpid(), r.ep.String()
	e.Version, e.Executable = r.version, r.executable
	r.events(e)
}
