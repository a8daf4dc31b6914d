// Package ipc lets short-lived programs call a long-lived server of the same user on the same
// machine, over a Unix domain socket or a named pipe.
//
// An [Endpoint] names the server. A [Server] answers: [Server.Handle] adds an operation and
// [Server.Serve] serves a [Listener]. A program that makes a few calls uses a [Conn], one with
// many goroutines a [Client]; [Client.Call] is all that most of them need. Payloads are bytes;
// [CallAs] and [HandlerOf] put a [Codec] around them. Package ipc/lifecycle makes sure that the
// server runs. A call costs little more than the socket below it, and a program that imports this
// package alone starts as fast as one without it.
//
// # Time
//
// One deadline covers the whole of a call: connecting, waiting for a slot, writing, waiting and
// reading. It travels with the request and is the deadline of the handler's context. Without
// one it is 5 minutes. While a call waits the server is pinged, so that one that hangs is
// known after about 10 seconds ([ErrWedged]) and a handler may yet run for hours.
//
// # Errors
//
// A call fails with a [*CallError]. It says in which phase, why, and what became of the
// request: [NotProcessed], so that it may be repeated, [MaybeProcessed] or [Answered]. A [Client]
// repeats a call that no handler has seen, without being asked, where that helps.
//
// # Concurrency
//
// Clients and servers are safe for concurrent use. A client has no goroutine but one that finishes
// a write whose caller has run out of time; it ends with the write or the connection. A server has
// one per connection and one per call that runs, and keeps some of the latter for later calls; all
// end with the server.
//
// # Limits
//
// [Limits] are on by default. What is beyond them is refused with an error that says so, before
// a handler sees it; ping, status and shutdown are answered nevertheless.
//
// # Compatibility
//
// PROTOCOL.md describes the bytes. Hello, acknowledgement, frame header and the control operations
// never change, so that any client can ask any server who it is and tell it to end.
package ipc
