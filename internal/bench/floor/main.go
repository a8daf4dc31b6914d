// Command floor is a cache program that answers every get from a table in memory and does nothing
// else: what a conversation with the go command costs at least. It is given the folder of a table.
package main

import (
	"fmt"
	"os"

	"github.com/larderbuild/larder/internal/bench/goprog"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor DIR")
		os.Exit(2)
	}
	table, err := goprog.LoadTable(os.Args[1])
	if err == nil {
		err = goprog.Serve(os.Stdin, os.Stdout, table)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}
