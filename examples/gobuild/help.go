package main

const demoUsage = `Usage: gobuild [flags] [-- go build flags and packages]
       gobuild COMMAND [-h]

The commands are:
  serve   be the go command's cache, as in GOCACHEPROG="gobuild serve"
  stats   print what the store holds
  verify  read everything in the store and drop what is damaged
  prune   delete what was used longest ago
  status  say what the broker does, the process that owns the store
  stop    end the broker

Without a command it is a demonstration: it builds a program with the go command four
times, cold and warm with this program as the go command's cache, and cold and warm with
the go command's own. It compares the outputs of the two caches and the programs byte for
byte and prints a table. Everything happens in a temporary folder; nothing is downloaded.

The default program is cmd/vet, from the standard library's source. Others, with flags
of "go build", follow "--":

	gobuild -- -race ./...

The exit code is that of the first build that fails, else 1 when the outputs differ.
`

const serveUsage = `Usage: GOCACHEPROG="gobuild serve" go build ./...

Serves the go command on standard input and output, as its build cache. It is not meant
to be started by hand.

One process at a time owns the store: the broker, this same program. The first go
command starts it, all share it, and it ends 10 minutes after the last. When it dies in
the middle of a build, the build goes on. The broker of a newer build of this program takes over
from an older one's. Without a broker (-direct) a go command that starts while another one runs
waits 200 ms for the store; then it builds without, says so, and its outputs stay for 24 hours.

The store does not bound its size: see "gobuild prune -h".
`

const statusUsage = `Usage: gobuild status [flags]

Says what the broker of the store does. The exit code is 1 when none runs.
`

const stopUsage = `Usage: gobuild stop [flags]

Ends the broker of the store. Builds that run go on with a new one.
`

const brokerUsage = `Usage: gobuild broker [flags]

Owns a store for all go commands. "gobuild serve" starts it.
`

const statsUsage = `Usage: gobuild stats [flags]

Prints what the store holds.
`

const verifyUsage = `Usage: gobuild verify [flags]

Reads everything in the store and drops what is damaged; the go command builds it again.
The exit code is 1 when there was damage. Go commands can use the store meanwhile.
`

const pruneUsage = `Usage: gobuild prune -max-bytes N [flags]

Deletes what was used longest ago until the store holds at most N bytes. What is in use,
or was used within the last 24 hours, stays, even if the store is larger then: go
commands may still read it. N may have a unit: kB, MB, GB, TB, or KiB, MiB, GiB, TiB.
`
