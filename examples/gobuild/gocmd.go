package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// goCommand runs the go command that is on the path.
type goCommand struct {
	path   string
	self   string    // this program, for GOCACHEPROG
	stderr io.Writer // of the go command
	env    []string
}

func findGo(stderr io.Writer) (goCommand, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return goCommand{}, fmt.Errorf("the go command is needed: %w", err)
	}
	self, err := os.Executable()
	return goCommand{path: path, self: self, stderr: stderr}, err
}

// forgetProgram has the go command forget a GOCACHEPROG that "go env -w" has set, which an empty variable does not. Dir is
// for a copy of the settings.
func (g *goCommand) forgetProgram(ctx context.Context, dir string) error {
	var out bytes.Buffer
	cmd := g.command(ctx, nil, "env", "GOENV")
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return goError(err, "go env")
	}
	text, err := os.ReadFile(strings.TrimSpace(out.String()))
	if err != nil {
		return nil // there are no settings
	}
	var rest strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "GOCACHEPROG=") {
			rest.WriteString(line)
		}
	}
	if rest.Len() == len(text) {
		return nil
	}
	file := filepath.Join(dir, "goenv")
	g.env = append(g.env, "GOENV="+file)
	return os.WriteFile(file, []byte(rest.String()), 0o600)
}

// target is what is built.
type target struct {
	args     []string // flags and packages of go build
	packages int      // with all they need
	programs bool     // some are programs
}

func (t target) name() string { return strings.Join(t.args, " ") }

// newTarget checks the arguments of go build.
func newTarget(args []string) (target, error) {
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if name == "o" && strings.HasPrefix(a, "-") {
			return target{}, fmt.Errorf("%w: no -o here: programs are built into temporary folders", errUsage)
		}
	}
	return target{args: args}, nil
}

// command returns the arguments of a go command for the target. A -C stays what it has to be: the first flag.
func (t target) command(verb string, flags ...string) []string {
	first := 0
	switch name, _, whole := strings.Cut(t.args[0], "="); {
	case name != "-C" && name != "--C":
	case whole, len(t.args) == 1:
		first = 1
	default:
		first = 2
	}
	return slices.Concat([]string{verb}, t.args[:first], flags, t.args[first:])
}

// resolve asks what a target stands for.
func (g goCommand) resolve(ctx context.Context, t target) (target, error) {
	var out bytes.Buffer
	cmd := g.command(ctx, []string{"GOCACHEPROG="}, t.command("list", "-deps", "-f", "{{.DepOnly}} {{.Name}}")...)
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return t, goError(err, "go list")
	}
	for line := range strings.Lines(out.String()) {
		t.packages++
		t.programs = t.programs || line == "false main\n"
	}
	return t, nil
}

// build builds a target, its programs into dir, and returns what it took.
func (g goCommand) build(ctx context.Context, env []string, t target, dir string) (time.Duration, error) {
	var flags []string
	if t.programs {
		flags = []string{"-o", dir + string(filepath.Separator)}
	}
	cmd := g.command(ctx, env, t.command("build", flags...)...)
	cmd.Stdout = g.stderr
	start := time.Now()
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it succeeded, but its cache program still holds standard error
	}
	return time.Since(start), goError(err, "go build")
}

// How long the go command may take to end after an interrupt: a while by itself, for a
// terminal interrupts it too, then after another one from here, before it is killed.
const (
	interruptAfter = time.Second
	killAfter      = 10 * time.Second
)

func (g goCommand) command(ctx context.Context, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Env = append(append(os.Environ(), g.env...), env...)
	cmd.Stderr = g.stderr
	cmd.WaitDelay = killAfter
	cmd.Cancel = func() error {
		time.AfterFunc(interruptAfter, func() { cmd.Process.Signal(os.Interrupt) })
		return nil
	}
	return cmd
}

// cacheProgram is the GOCACHEPROG that makes this program serve a store.
func (g goCommand) cacheProgram(root, counts string) string {
	words := []string{g.self, "serve", "-direct", "-dir", root, "-counts", counts}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// bareProgram reports whether GOCACHEPROG is this program without a word more: the go command that has started it then waits
// for an answer, for as long as the demonstration takes.
func bareProgram() bool {
	name := strings.Trim(strings.TrimSpace(os.Getenv("GOCACHEPROG")), `'"`)
	path, err := exec.LookPath(name)
	if err != nil {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		return false
	}
	a, err1 := os.Stat(path)
	b, err2 := os.Stat(self)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// quote makes one word for the go command, which knows quotes but no escapes.
func quote(word string) string {
	switch {
	case !strings.ContainsAny(word, " \t\r\n'\""):
		return word
	case !strings.Contains(word, `"`):
		return `"` + word + `"`
	}
	return `'` + word + `'`
}

// buildError is a go command that failed; what was wrong it has said itself.
type buildError struct {
	what string
	code int
	err  error
}

func goError(err error, what string) error {
	if err == nil {
		return nil
	}
	code := exitFailure
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		code = exit.ExitCode()
	}
	return &buildError{what, code, err}
}

// Error names the command and how it ended.
func (e *buildError) Error() string { return fmt.Sprintf("%s: %v", e.what, e.err) }

// Unwrap returns what package exec said.
func (e *buildError) Unwrap() error { return e.err }

// exitCode is the build's own, when it is a build that failed.
func exitCode(err error) int {
	if b, ok := errors.AsType[*buildError](err); ok {
		return b.code
	}
	return exitFailure
}
