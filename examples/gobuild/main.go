package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes; a build's own code takes precedence.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// command is a subcommand, or the demonstration.
type command struct {
	name  string
	usage string // synopsis and description, before the flags
	run   func(c *call) (int, error)
}

func commands() []command {
	return []command{
		{"", demoUsage, runDemo},
		{"serve", serveUsage, runServe},
		{"stats", statsUsage, runStats},
		{"verify", verifyUsage, runVerify},
		{"prune", pruneUsage, runPrune},
		{"status", statusUsage, runStatus},
		{"stop", stopUsage, runStop},
		{"broker", brokerUsage, runBroker},
	}
}

// call is one invocation of a command.
type call struct {
	command
	args           []string
	stdout, stderr io.Writer

	broker *broker         // that runs the command for somebody else; nil in a process of its own
	ctx    context.Context // of that command
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	c := &call{stdout: stdout, stderr: stderr}
	return c.dispatch(args)
}

// dispatch runs the command that args name and returns its exit code.
func (c *call) dispatch(args []string) int {
	c.args = args
	stderr := c.stderr
	for _, cmd := range commands() {
		if cmd.name == "" {
			c.command = cmd
		} else if len(args) > 0 && args[0] == cmd.name {
			c.command, c.args = cmd, args[1:]
		}
	}
	code, err := c.command.run(c)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "gobuild: %v\nRun \"gobuild %s\" for help.\n", err, helpOf(c.name))
		return exitUsage
	case err != nil:
		fmt.Fprintf(stderr, "gobuild: %v\n", err)
		return max(code, exitFailure)
	}
	return code
}

func helpOf(name string) string {
	if name == "" {
		return "-h"
	}
	return name + " -h"
}

// errUsage is a command line that cannot be understood.
var errUsage = errors.New("bad usage")

// parse reads the flags of a command; help goes to standard output. The arguments that
// are left must not be more than allowed; a negative number allows any.
func (c *call) parse(flags *flag.FlagSet, allowed int) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(c.args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(c.stdout, c.usage, "\nFlags:\n")
		flags.SetOutput(c.stdout)
		flags.PrintDefaults()
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if allowed >= 0 && flags.NArg() > allowed {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, flags.Arg(allowed))
	}
	return nil
}

func (c *call) flags() *flag.FlagSet {
	return flag.NewFlagSet("gobuild "+c.name, flag.ContinueOnError)
}

// dirFlag adds -dir for the commands that use the everyday store.
func dirFlag(flags *flag.FlagSet) *string {
	return flags.String("dir", "", "`folder` of the store (default: go-build-larder in the user's cache folder)")
}

// rootOf resolves -dir. The default begins with the path of the go command's own default
// cache, go-build: from there it copies files, from elsewhere it moves them away.
func rootOf(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the store, name one with -dir: %w", err)
	}
	return filepath.Join(user, "go-build-larder"), nil
}
