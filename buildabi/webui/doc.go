// Package webui puts a build board on WebSockets: [Handler] serves it to browsers and [Dial] is a
// client in Go, for our servers and for Zig's. The page that it serves is in the folder page: plain
// HTML, CSS and JavaScript. The command in the folder demo shows it with the builds of a Go module.
//
// It is a module of its own, so that package buildabi needs nothing but the standard library.
//
// # Concurrency
//
// A handler is safe for concurrent use. A [Client] is for one goroutine that reads and any number
// that ask for a build.
package webui
