// Command bench measures this library beside its peers, in turn and in one run, and prints a table, JSON
// or drawings. Run it in its own module's folder:
//
//	go -C internal/bench run . -suite store -quick
//
// It ends with 1 when a row could not run, and with 0 whatever the figures are: verdicts are for people.
package main

import (
	"os"

	"github.com/larderbuild/larder/internal/bench/child"
)

func main() {
	if code, isChild := child.Main(os.Args, jobs()); isChild {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
