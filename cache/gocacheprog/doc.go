// Package gocacheprog serves the go command's build cache from an artifact store: it is
// the other side of GOCACHEPROG, for Go 1.24 to 1.26.
//
// A program whose standard input and output the go command holds calls [Serve] with
// [Over] and its store:
//
//	open := gocacheprog.Opened(gocacheprog.Over(store))
//	err := gocacheprog.Serve(ctx, os.Stdin, os.Stdout, open, nil)
//
// and closes its standard output, then the store. It should ignore interrupts and SIGPIPE
// until then: a terminal interrupts every process of the group, the go command ends
// at once, without cleaning up, when its cache dies first, and a response to a go command
// that is gone would end this process instead of the write.
//
// # What holds
//
// A cache never breaks a build. A get that fails is a miss; a put that fails keeps its
// body in a session folder and succeeds with that path, and is refused only when no
// folder can be written to; closing never fails; what has no readable ID is skipped.
//
// The go command takes files: `go build -o x.a ./lib` changes the mode of the file that
// it was told of and moves it away, unless its path begins with the value of GOCACHE,
// in which case it copies. Under another path the output is missing from the store from
// then on, which the next get finds out; it is put again then. A host that wants to keep
// its outputs gives the store a root whose path begins so, as in ~/.cache/go-build-larder.
//
// # Concurrency
//
// Serve answers quick gets on the goroutine that reads and everything else on others,
// which end before it returns, at most [Options].Concurrency of them at a time. Bodies
// above 1 MiB are streamed into the store, so that their size does not matter.
//
// # Compatibility
//
// The protocol has no version: commands that a go command does not know are not sent,
// and unknown ones are answered with an error. Go 1.26 does not hand executables to a
// cache program, so that `go run` links each time.
package gocacheprog
