package gobuild

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/larderbuild/larder/internal/bench/meter"
)

// caching says which cache a go command uses.
type caching struct {
	gocache string // folder; made by the go command
	program string // GOCACHEPROG; "" for Go's own cache
}

// environ is the user's environment with this cache in it and no other.
func (c caching) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "GOCACHE" || name == "GOCACHEPROG" || name == "GOWORK"
	})
	env = append(env, "GOWORK=off")
	if c.gocache != "" {
		env = append(env, "GOCACHE="+c.gocache, "GOCACHEPROG="+c.program)
	}
	return env
}

// command is a go command in dir. What it says goes to said.
func (c caching) command(ctx context.Context, dir string, said *bytes.Buffer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, c.environ()
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// run runs a go command and returns what it took and said.
func (c caching) run(ctx context.Context, dir string, args ...string) (meter.Usage, string, error) {
	var said bytes.Buffer
	usage, err := meter.Command(ctx, c.command(ctx, dir, &said, args...))
	if ctx.Err() != nil {
		return usage, "", context.Cause(ctx)
	}
	if err != nil {
		return usage, "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, short(said.String()))
	}
	return usage, said.String(), nil
}

// ask runs a go command with the user's own settings and returns its output, trimmed.
func ask(ctx context.Context, dir string, args ...string) (string, error) {
	var said bytes.Buffer
	cmd := caching{}.command(ctx, dir, &said, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, short(said.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// short is the end of what a command said, in one line.
func short(said string) string {
	said = strings.Join(strings.Fields(said), " ")
	const most = 300
	if len(said) > most {
		said = "... " + said[len(said)-most:]
	}
	return said
}
