// Package gobuild is the suite of the go command: the same builds with Go's own cache, with go-cacher, with a
// floor program that answers from memory, and with this library's host program, in turn.
//
// # Filling
//
// A warm row builds once through a recorder, which takes what the user's GOCACHE has already, and
// gives the recorded outputs to every cache. So only one build is needed, and all caches hold the
// same bytes. The first build with each cache must compile nothing, else the row does not count.
//
// # CPU
//
// CPU time is that of the go command and of all processes below it. The go command does not wait for
// its cache program, so that one is adopted and waited for; where that is not possible the rows say so.
//
// # Quick
//
// A quick run builds smaller targets, named in the rows: packages that this program is made of and
// that the user's GOCACHE therefore has.
package gobuild
