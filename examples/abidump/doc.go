// Command abidump prints what is in a recorded session of Zig's build web interface, or in a
// coverage file of its fuzzer, as one JSON object a line.
//
//	abidump [-abi v1|v3] FILE...
//
// A FILE of - is standard input; gzip is undone. A recording has one JSON object a line: t_ms, dir
// (s2c to the client, c2s from it) and hex, the message's bytes. A coverage file is known by its
// size, which follows from its header.
//
// Each message is encoded again. At the first byte that differs, and at the first message that
// cannot be decoded, abidump says so and exits with 1. What a real client would stumble over is a
// warning on standard error. Without -abi, a recording is read with the lowest version under which
// all of its messages can be decoded.
package main
