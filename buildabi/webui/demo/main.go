// Command demo shows the builds and tests of a Go module in a browser, live, and does them again
// at a click. It can also show what was recorded of a build of Zig.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/larderbuild/larder/buildabi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `usage: demo [flags] [DIR]

Builds and tests the Go module in DIR (default: this folder), and shows its
packages in a browser: what runs, how long it took, what it printed. Rebuild on
the page does it again. The Go command must be on PATH.

`

// options are what the command line says.
type options struct {
	dir     string
	address string
	open    bool
	assets  string
	record  string
	replay  string
	speed   float64
	version buildabi.Version
}

// run is the command; its result is the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "demo: %v\nTry -h.\n", err)
		return 2
	}
	if err := show(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return 1
	}
	return 0
}

// parse reads the command line. Help goes to help.
func parse(args []string, help io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.address, "addr", "127.0.0.1:0", "listen at `ADDRESS`, with the name to be used; port 0 takes a free one")
	f.BoolVar(&o.open, "open", false, "open the page in a browser")
	f.StringVar(&o.assets, "assets", "", "serve the page in `DIR`, such as Zig's own")
	f.StringVar(&o.record, "record", "", "write what a page is sent to `FILE`")
	f.StringVar(&o.replay, "replay", "", "show the recording in `FILE`, also in a .gz, and build nothing")
	f.Float64Var(&o.speed, "speed", 1, "replay so many `TIMES` as fast")
	f.Func("abi", "speak `VERSION` v1 (Zig 0.15) or v3; our page knows both (default v3)", o.setVersion)
	o.version = buildabi.V3
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usage)
		f.SetOutput(help)
		f.PrintDefaults()
		return nil, err
	case err != nil:
		return nil, err
	case f.NArg() > 1:
		return nil, fmt.Errorf("one folder, not %d", f.NArg())
	case o.replay != "" && (o.record != "" || f.NArg() > 0):
		return nil, errors.New("-replay builds nothing, so it takes neither -record nor a folder")
	case o.speed != 1 && o.replay == "":
		return nil, errors.New("-speed is for -replay")
	case !(o.speed > 0):
		return nil, errors.New("-speed must be above 0")
	}
	o.dir = f.Arg(0)
	return o, nil
}

func (o *options) setVersion(name string) error {
	switch name {
	case "v1":
		o.version = buildabi.V1
	case "v3":
		o.version = buildabi.V3
	default:
		return errors.New("neither v1 nor v3")
	}
	return nil
}
