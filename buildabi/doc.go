// Package buildabi lets any build tool serve Zig's build web interface: steps with their states,
// time reports, fuzzing coverage drawn over the source, and a Rebuild button, live in a browser.
// Zig's own page works with it, and so does any other client that speaks the interface.
//
// A host makes a [Board], starts a [Build] on it and calls [Build.SetStep] as its steps go on.
// [Board.Serve] shows the board to one client over a message connection; package webui, a nested
// module, has the WebSocket and a page. [Board.WaitRebuild] waits for a click.
//
// Below that is the codec: one Go type for each message, with [Parse] and AppendBinary, and a
// [Reader] that follows a session and says what a real client would stumble over.
//
// # Concurrency
//
// A [Board] and what it hands out are safe for concurrent use and start no goroutine of their own;
// [Board.Serve] waits for the ones that it starts. A handler runs [HandlerOptions].Compile on one,
// which ends with it. Messages are plain values.
//
// # Errors
//
// Bytes or values that are no message are a [*MessageError], which names message, field and
// offset. Calls on a build that another one has replaced return [ErrSuperseded].
//
// # Format
//
// FORMAT.md in this package describes every message and the rules of their order, well enough to
// write another client.
//
// # Compatibility
//
// Nothing on the wire tells the version, so the host chooses it: [V1] for the client of Zig 0.15,
// [V3] for those of 0.16 and 0.17. All numbers are little endian.
package buildabi
