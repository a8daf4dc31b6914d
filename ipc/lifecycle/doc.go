// Package lifecycle makes sure that one server runs at an endpoint of package ipc: started by
// whoever needs it first, exactly once, found by everybody else, replaced by a newer one without a
// lost call, and gone when it is told to go.
//
// It starts no process itself and ends none: the host supplies both. A server calls [Claim] and
// serves what it gets; a client calls [Ensure] and gets a connection:
//
//	c, err := lifecycle.Ensure(ctx, ep, &lifecycle.Options{Spawn: startMyself, Version: version})
//
// # Exactly one
//
// A server owns its endpoint by the lock of a file beside it, which the system gives up however the
// server dies. Clients that find no server agree by a second lock on who starts one; the others
// wait for that one. No process number is trusted without its start time, no clock decides anything
// but how long a start that keeps failing is not tried again, and no lock is ever deleted.
//
// # Files
//
// Beside an endpoint lie its two locks, NAME.lock and NAME.start, and NAME.failed while starts
// fail. The locks stay for ever, empty when nobody holds them: a lock that is deleted while
// somebody is about to take it could have two holders. A host with a folder of its own for each
// endpoint may remove the folder after [Stop], as long as nobody starts a server; whoever starts
// one later makes it again.
//
// # What a started server must be given
//
// See [SpawnInfo]. In short: the handle that [SpawnInfo.Inherit] names, and nothing else: a server
// that inherits its starter's output keeps a pipeline waiting for as long as it lives.
//
// # Errors
//
// [HeldError], [StartError], [BackoffError], [RefusedError] and [TimeoutError] say what stood in
// the way. Faults of the caller come back at once and start and end nothing.
package lifecycle
