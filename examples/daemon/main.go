// Command daemon is a complete small host of package ipc: a server that is started by whoever needs
// it, and its client, in one program.
//
//	daemon call TEXT       make sure that the server runs, have it echo the text, say who served it
//	daemon status          say what the server does
//	daemon stop            make the server drain and wait until it is gone
//	daemon replace         stop the server that runs and start this program's
//	daemon load            call without pause (-callers N -for D) and print calls/s, p50, p99, errors
//	daemon serve           be the server, in the foreground
//
// Flags follow the verb. All take -json (one JSON object as output), -scope NAME (one server for
// each name), -timeout D (bounds the whole command) and -dir FOLDER (where the endpoint lies).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/larderbuild/larder/ipc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	a := &app{out: os.Stdout, errors: os.Stderr}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// app is one run of the command.
type app struct {
	out, errors io.Writer
	register    func(*ipc.Server) // adds operations; nil adds none
	events      func(ipc.Event)   // gets every event after it was logged; nil is nobody

	ep      ipc.Endpoint
	scope   string
	dir     string
	version string
	timeout time.Duration
	idle    time.Duration
	json    bool
	ready   string // of serve: the readiness handle
	callers int
	period  time.Duration
}

var (
	errUsage = errors.New("usage: daemon call|status|stop|replace|load|serve [FLAG...] [TEXT]")
	errFlags = errors.New("wrong flags")
)

// run returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	err := a.command(ctx, args)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFlags):
		return 2 // package flag has said why
	}
	if a.json {
		a.print(map[string]any{"error": err.Error()}, "")
	}
	fmt.Fprintln(a.errors, "daemon:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func (a *app) command(ctx context.Context, args []string) error {
	verbs := map[string]func(context.Context, []string) error{
		"call": a.call, "status": a.status, "stop": a.stop, "replace": a.replace,
		"load": a.load, "serve": a.serve,
	}
	if len(args) == 0 || verbs[args[0]] == nil {
		return errUsage
	}
	flags := a.flags(args[0])
	err := flags.Parse(args[1:])
	if err != nil {
		return errFlags
	}
	if a.dir == "" {
		a.ep, err = ipc.NewEndpoint("larder-daemon", a.scope)
	} else {
		a.ep, err = ipc.NewEndpointIn(a.dir, "larder-daemon", a.scope)
	}
	if err != nil {
		return err
	}
	if a.timeout > 0 && args[0] != "serve" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	return verbs[args[0]](ctx, flags.Args())
}

func (a *app) flags(verb string) *flag.FlagSet {
	f := flag.NewFlagSet("daemon "+verb, flag.ContinueOnError)
	f.SetOutput(a.errors)
	f.BoolVar(&a.json, "json", false, "print one JSON object")
	f.StringVar(&a.scope, "scope", "", "`name` of the server")
	f.StringVar(&a.dir, "dir", "", "`folder` of the endpoint; default: one of this user")
	f.DurationVar(&a.timeout, "timeout", 0, "bound of the whole command; 0 is none of its own")
	f.StringVar(&a.version, "version", "1", "a whole `number`; a server with a lower one is replaced")
	f.DurationVar(&a.idle, "idle", time.Hour, "how long the server stays without a call")
	f.StringVar(&a.ready, "ready", "", "`handle` that tells the starter when the server is ready")
	f.IntVar(&a.callers, "callers", 8, "number of clients that call")
	f.DurationVar(&a.period, "for", time.Second, "how long they call")
	return f
}

// print prints v as JSON or the text.
func (a *app) print(v any, text string) {
	if !a.json {
		fmt.Fprint(a.out, text)
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(strconv.Quote(err.Error()))
	}
	fmt.Fprintf(a.out, "%s\n", b)
}

// compareVersions orders whole numbers.
func compareVersions(a, b string) (int, error) {
	m, err1 := strconv.Atoi(strings.TrimSpace(a))
	n, err2 := strconv.Atoi(strings.TrimSpace(b))
	return m - n, errors.Join(err1, err2)
}
