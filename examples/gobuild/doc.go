// Command gobuild lets the go command build through an embedded artifact store.
//
// Without a subcommand it is a demonstration: it builds a program cold and warm with the
// go command calling this very program as its cache, compares what came out, byte for
// byte, with a build by the go command's own cache, and prints what it took.
//
//	go run ./examples/gobuild
//
// With one it is an everyday cache for the go command, and looks after it:
//
//	GOCACHEPROG="gobuild serve" go build ./...
//	gobuild stats
//	gobuild verify
//	gobuild prune -max-bytes 10GB
//
// It shows how a host uses the packages cache and cache/gocacheprog: serve.go holds the
// whole of it.
package main
