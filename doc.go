// Package larder is the root of a library of parts that make a build tool fast the second time. It holds no
// code of its own: import the part you want. Every part works alone, runs inside the host program, keeps its
// state below a value that the host made, and starts no process.
//
// The parts that exist:
//
//   - [github.com/larderbuild/larder/cache] stores what build steps produced under keys that the host
//     computes: outputs, printed text, exit code and cost. It is crash-safe, verifies what it gives out, and
//     delivers by clone, hard link or copy. Start with its Open, and Store.Do.
//   - [github.com/larderbuild/larder/cache/gocacheprog] lets the go command use such a store as its build
//     cache (GOCACHEPROG). Start with its Serve.
//   - [github.com/larderbuild/larder/cache/cachetest] is a conformance suite for whoever writes another store.
//   - [github.com/larderbuild/larder/ipc] carries calls and streams between processes of one user on one machine, and
//     [github.com/larderbuild/larder/ipc/lifecycle] starts, finds, replaces and stops the server of an endpoint. Start
//     with lifecycle.Ensure and lifecycle.Claim. [github.com/larderbuild/larder/ipc/ipcjson] brings
//     JSON, and [github.com/larderbuild/larder/ipc/ipctest] helps to test.
//   - [github.com/larderbuild/larder/buildabi] speaks the protocol of Zig's build web interface, so that a browser
//     shows a build while it runs. Start with its NewBoard; the nested module buildabi/webui brings
//     a page, and [github.com/larderbuild/larder/buildabi/seenpcs] reads coverage of Zig's fuzzer.
//
// The program in examples/gobuild is a host that can be used every day: it runs a real go build through an
// embedded store, and serves the go command as its cache; examples/daemon is a small server and its
// client, and examples/abidump prints recorded sessions of the web interface.
//
// # What holds in every part
//
// A hit is never wrong; in doubt the answer is a miss. A damaged file, a full disk or a bad request is an error value,
// never a panic or an exit. Queues, batches and waits have documented limits. Background work is
// a blocking Run that the host starts. No part reads the environment, except for the system's
// temporary folder, where gocacheprog can keep a file nowhere else. State hangs off values, not
// package variables, so a program and a test may hold two of everything.
//
// # Compatibility
//
// Go 1.26 or later, on Linux, macOS and Windows; the store's own files carry a format version. Until v1.0.0 a
// minor version may change exported names; CHANGELOG.md says which.
package larder
