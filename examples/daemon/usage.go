package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// verb is one thing that the command does.
type verb struct {
	name, text, about string // text is what may follow the flags
	do                func(*app, context.Context, []string) error
}

var verbs = []verb{
	{"call", " [TEXT...]", "make sure of the server, have it echo the text, say who served it", (*app).call},
	{"status", "", "say what the server does", (*app).status},
	{"stop", "", "make the server drain and wait until it is gone", (*app).stop},
	{"replace", "", "stop the server that runs and start this program's", (*app).replace},
	{"load", "", "call without pause and print calls/s, p50, p99 and errors", (*app).load},
	{"serve", "", "be the server, in the foreground", (*app).serve},
}

// usageError says what is wrong with the arguments.
type usageError string

func (e usageError) Error() string { return string(e) }

// parse finds the verb, sets what its flags say and returns the rest. The error is a
// [flag.ErrHelp] if help was asked for and given.
func (a *app) parse(args []string) (verb, []string, error) {
	if len(args) == 0 {
		writeUsage(a.errors)
		return verb{}, nil, usageError("no verb")
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		writeUsage(a.out)
		return verb{}, nil, flag.ErrHelp
	}
	for _, v := range verbs {
		if v.name == args[0] {
			rest, err := a.parseFlags(v, args[1:])
			return v, rest, err
		}
	}
	return verb{}, nil, usageError(fmt.Sprintf("unknown verb %q; daemon -h lists them", args[0]))
}

func writeUsage(w io.Writer) {
	fmt.Fprint(w, "usage: daemon VERB [FLAG...] [TEXT...]\n\n")
	for _, v := range verbs {
		fmt.Fprintf(w, "  %-8s %s\n", v.name, v.about)
	}
	fmt.Fprint(w, "\ndaemon VERB -h lists the flags of a verb.\n")
}

func (a *app) parseFlags(v verb, args []string) ([]string, error) {
	f := a.flags(v.name)
	f.SetOutput(io.Discard) // run prints the error
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(a.out, "usage: daemon %s [FLAG...]%s\n\n%s\n\n", v.name, v.text, v.about)
		f.SetOutput(a.out)
		f.PrintDefaults()
		return nil, err
	}
	if err == nil {
		err = a.check(v, f.Args())
	}
	if err != nil {
		return nil, usageError(fmt.Sprintf("%s: %v; daemon %s -h lists the flags", v.name, err, v.name))
	}
	return f.Args(), nil
}

func (a *app) flags(verb string) *flag.FlagSet {
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	f.BoolVar(&a.json, "json", false, "print one JSON object")
	f.StringVar(&a.scope, "scope", "", "`name` of the server to use: each name is another server")
	f.StringVar(&a.dir, "dir", "",
		"`folder` of the socket and its locks; default: the one of this user")
	f.DurationVar(&a.timeout, "timeout", 0,
		"end the command after this; 0 leaves it to the library, mostly 30s")
	f.StringVar(&a.version, "version", "1",
		"version of this program, a whole `number`; a server with a lower one is replaced")
	f.DurationVar(&a.idle, "idle", time.Hour,
		"how long a server that this command starts stays unused; 0 is for ever")
	switch verb {
	case "load":
		f.IntVar(&a.callers, "callers", 8, "number of clients that call")
		f.DurationVar(&a.period, "for", time.Second, "how long they call; once at least")
	case "serve":
		f.StringVar(&a.ready, "ready", "", "`handle` that tells the starter when the server is ready")
	}
	return f
}

// check refuses what the flags cannot mean.
func (a *app) check(v verb, rest []string) error {
	_, err := strconv.Atoi(a.version)
	switch {
	case err != nil:
		return fmt.Errorf("-version %q is not a whole number", a.version)
	case a.timeout < 0 || a.idle < 0 || a.period < 0:
		return errors.New("a time is negative")
	case v.name == "load" && a.callers < 1:
		return errors.New("-callers is less than 1")
	case v.text == "" && len(rest) > 0:
		return fmt.Errorf("%q is too much", strings.Join(rest, " "))
	}
	return nil
}
