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
//	gobuild status
//	gobuild stop
//
// All go commands of a user share the store through a broker: this same program, which the first
// of them starts and which ends by itself when it is not needed. With -direct a go command has the store to itself.
//
// It shows how a host uses the packages cache and cache/gocacheprog (serve.go, openDirectly), and
// ipc with ipc/lifecycle (broker.go is the server, brokered.go its client, spawn.go how it is started).
package main
