package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/larderbuild/larder/buildabi"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is main without the process around it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("abidump", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, "usage: abidump [-abi v1|v3] FILE...  (- is standard input)\n\n"+
			"Prints what is in recorded sessions of Zig's build web interface, or in coverage files\n"+
			"of its fuzzer, as one JSON object a line. FILEs may be compressed with gzip.\n\n")
		flags.PrintDefaults()
	}
	abi := flags.String("abi", "", "`version` of the recordings, v1 or v3;"+
		" default is the lowest under which all messages can be decoded")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return exitUsage
	}
	versions, ok := map[string][]buildabi.Version{
		"":   {buildabi.V1, buildabi.V3},
		"v1": {buildabi.V1},
		"v3": {buildabi.V3},
	}[*abi]
	if !ok || flags.NArg() == 0 {
		flags.Usage()
		return exitUsage
	}
	d := newDumper(versions, stdout, stderr)
	for _, name := range flags.Args() {
		if err := d.file(name, stdin); err != nil {
			fmt.Fprintf(stderr, "abidump: %s: %v\n", name, err)
			return exitFailure
		}
	}
	return exitOK
}
