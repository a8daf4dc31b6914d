package ipc

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// Programs that cases run.
const (
	emptyPkg   = "github.com/larderbuild/larder/internal/bench/empty"
	oneShotPkg = "github.com/larderbuild/larder/internal/bench/oneshot"
	daemonPkg  = "github.com/larderbuild/larder/examples/daemon"
)

// programs builds packages, as this module sees them, into a folder and returns the programs'
// paths.
func programs(
	ctx context.Context, env *frame.Env, packages ...string,
) (paths []string, remove func(), err error) {
	dir, remove, err := env.TempDir("programs")
	if err != nil {
		return nil, nil, err
	}
	for _, pkg := range packages {
		path := filepath.Join(dir, filepath.Base(pkg)+".exe") // a suffix that every system runs
		cmd := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
		if out, err := cmd.CombinedOutput(); err != nil {
			remove()
			return nil, nil, fmt.Errorf("bench: build %s: %w: %s", pkg, err, oneLine(string(out)))
		}
		paths = append(paths, path)
	}
	return paths, remove, nil
}

// output runs a program and returns what it wrote; what it said becomes the error's text.
func output(cmd *exec.Cmd) ([]byte, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("bench: %s: %w: %s", filepath.Base(cmd.Path), err, oneLine(said.String()))
	}
	return out, err
}

func oneLine(said string) string { return strings.Join(strings.Fields(said), " ") }
