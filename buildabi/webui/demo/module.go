package main

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// module builds and tests a Go module, again at each click.
type module struct {
	dir     string
	board   *buildabi.Board
	version buildabi.Version
	logs    logs
	clicked func() // called for each rebuild, if not nil
}

// newModule refuses what no build can mend.
func newModule(o *options, board *buildabi.Board) (*module, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, err
	}
	if _, err := os.ReadDir(cmp.Or(o.dir, ".")); err != nil {
		return nil, err
	}
	return &module{dir: o.dir, board: board, version: o.version}, nil
}

// run builds until ctx ends, and returns why that did.
func (m *module) run(ctx context.Context) error {
	for {
		m.build(ctx)
		if err := m.board.WaitRebuild(ctx); err != nil {
			return err
		}
		if m.clicked != nil {
			m.clicked()
		}
	}
}

// The steps of the commands. Those of the packages follow.
const (
	goBuild = iota
	goTest
	firstPackage
)

// build is one build: everything is compiled, then the packages are tested.
func (m *module) build(ctx context.Context) {
	packages, names := m.packages(ctx)
	names = append([]string{goBuild: "go build", goTest: "go test"}, names...)
	b := &building{logs: m.logs.start(len(names)), version: m.version,
		build: m.board.StartBuild(names...), tests: make([][]buildabi.Test, len(names)),
		steps: make(map[string]int)}
	for i, name := range packages {
		b.steps[name] = firstPackage + i
	}
	b.run(goBuild, m.command(ctx, "build", "-json", "-o", os.DevNull, "./..."))
	b.run(goTest, m.command(ctx, "test", "-json", "./..."))
	for _, l := range b.logs {
		l.end()
	}
	b.build.Finish(buildabi.Idle)
}

// command is a run of the Go command that ends with ctx.
func (m *module) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.dir
	cmd.WaitDelay = 5 * time.Second
	interruptible(cmd)
	return cmd
}

// packages lists the module's packages, also those that cannot be built, by import path, with what
// they are called in the module. If that fails there are none, and go build says why.
func (m *module) packages(ctx context.Context) (paths, names []string) {
	const format = "{{if .Dir}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}{{end}}"
	out, err := m.command(ctx, "list", "-e", "-f", format, "./...").Output()
	if err != nil {
		return nil, nil
	}
	for line := range strings.Lines(string(out)) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		paths = append(paths, path)
		names = append(names, "."+strings.TrimPrefix(path, module))
	}
	return paths, names
}
