// Command daemon is a complete small host of package ipc: a server that is started by whoever needs
// it, and its client, in one program.
//
//	daemon call TEXT       make sure that the server runs, have it echo the text, say who served it
//	daemon status          say what the server does
//	daemon stop            make the server drain and wait until it is gone
//	daemon replace         stop the server that runs and start this program's
//	daemon load            call without pause (-callers N -for D) and print calls/s, p50, p99, errors
//	daemon serve           be the server, in the foreground, until Ctrl-C or SIGTERM
//
// Flags follow the verb. All take -json (one JSON object as output), -scope NAME (one server for
// each name), -timeout D (bounds the whole command) and -dir FOLDER (where the endpoint lies). The
// exit code is 0, 1 after an error, and 2 for arguments that make no sense.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/larderbuild/larder/ipc"
)

func main() {
	a := &app{out: os.Stdout, errors: os.Stderr}
	os.Exit(a.run(untilSignal(), os.Args[1:]))
}

// untilSignal ends with the first Ctrl-C or SIGTERM: a client gives up, a server drains. The second
// one ends the process.
func untilSignal() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
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

// run returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	err := a.command(ctx, args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if a.json {
		a.print(map[string]any{"error": err.Error()}, "")
	}
	fmt.Fprintln(a.errors, "daemon:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

func (a *app) command(ctx context.Context, args []string) error {
	v, rest, err := a.parse(args)
	if err != nil {
		return err
	}
	if a.ep, err = a.endpoint(); err != nil {
		return err
	}
	if a.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	return v.do(a, ctx, rest)
}

func (a *app) endpoint() (ipc.Endpoint, error) {
	if a.dir == "" {
		return ipc.NewEndpoint("larder-daemon", a.scope)
	}
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return ipc.Endpoint{}, err
	}
	a.dir = dir // for the server, which runs in another folder
	return ipc.NewEndpointIn(dir, "larder-daemon", a.scope)
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
	return cmp.Compare(m, n), errors.Join(err1, err2)
}
