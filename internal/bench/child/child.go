// Package child runs a job of this program in a fresh process of its own, so that memory and
// first times are not those of a process that did other things before.
package child

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

// word is the first argument of a process that [Run] started.
const word = "child-process"

// Job is run in the child with the parameters that the parent gave, and returns a result; both
// travel as JSON.
type Job func(ctx context.Context, params json.RawMessage) (any, error)

// JobOf turns a function with typed parameters into a job.
func JobOf[P, R any](f func(context.Context, P) (R, error)) Job {
	return func(ctx context.Context, params json.RawMessage) (any, error) {
		var p P
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, fmt.Errorf("bench: parameters: %w", err)
		}
		return f(ctx, p)
	}
}

// Main is called first thing by the program. When this process is a child it runs the job that
// was named and returns true and the exit code.
func Main(args []string, jobs map[string]Job) (code int, isChild bool) {
	if len(args) != 4 || args[1] != word {
		return 0, false
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	job, ok := jobs[args[2]]
	if !ok {
		fmt.Fprintf(os.Stderr, "bench: no job %q\n", args[2])
		return 1, true
	}
	result, err := job(ctx, json.RawMessage(args[3]))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// Run starts this program again to run the named job, and returns its result. What the child wrote to
// standard error becomes the error's text. When ctx ends the child is interrupted and, 10 s later, killed.
func Run[R any](ctx context.Context, job string, params any) (R, error) {
	var result R
	self, err := os.Executable()
	if err != nil {
		return result, fmt.Errorf("bench: %s: %w", job, err)
	}
	p, err := json.Marshal(params)
	if err != nil {
		return result, fmt.Errorf("bench: %s: %w", job, err)
	}
	cmd := exec.CommandContext(ctx, self, word, job, string(p))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	switch {
	case ctx.Err() != nil:
		return result, context.Cause(ctx)
	case err != nil:
		return result, fmt.Errorf("bench: %s: %w", job, errors.Join(err, tail(said.String())))
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return result, fmt.Errorf("bench: %s: result: %w", job, err)
	}
	return result, nil
}

// tail is the end of what a child said, as an error of one line.
func tail(said string) error {
	said = strings.Join(strings.Fields(said), " ")
	const most = 400
	if len(said) > most {
		said = "... " + said[len(said)-most:]
	}
	if said == "" {
		return nil
	}
	return errors.New(said)
}
