package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// building is what is known of one build. Its calls on the board cannot fail: nobody else begins
// a build, and the steps are its own.
type building struct {
	build   *buildabi.Build
	version buildabi.Version
	steps   map[string]int // by package
	logs    []*stepLog
	tests   [][]buildabi.Test

	command int               // the step of the command that runs
	output  map[string]string // what it says of each compilation
}

// run is a command: a step of its own, and what that says of the packages' steps.
func (b *building) run(step int, cmd *exec.Cmd) {
	began := time.Now()
	b.command, b.output = step, make(map[string]string)
	b.build.SetStep(step, buildabi.Running)
	err := b.follow(cmd)
	if err != nil {
		fmt.Fprintf(b.logs[step], "go %s: %v\n", cmd.Args[1], err)
	}
	b.finish(step, err == nil, time.Since(began))
}

// follow runs a command that prints events, and returns how it ended.
func (b *building) follow(cmd *exec.Cmd) error {
	cmd.Stderr = b.logs[b.command]
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.read(out)
	return cmd.Wait()
}

// finish is the end of a step.
func (b *building) finish(step int, ok bool, elapsed time.Duration) {
	if len(b.tests[step]) > 0 && b.version != buildabi.V1 {
		b.build.ReportTests(step, &buildabi.RunTestResult{Tests: b.tests[step]})
	} else {
		b.build.ReportTime(step, elapsed)
	}
	status := buildabi.Success
	if !ok {
		status = buildabi.Failure
	}
	b.build.SetStep(step, status)
	b.logs[step].end()
}

// event is one of go build -json and go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output, FailedBuild string
	Elapsed                                                float64
}

// read takes events until there are no more; other lines go to the command's log.
func (b *building) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			b.take(&e)
		} else {
			b.logs[b.command].Write(line)
		}
		if err != nil {
			return
		}
	}
}

func (b *building) take(e *event) {
	step, known := b.steps[e.Package]
	if !known {
		step = b.command
	}
	elapsed := time.Duration(e.Elapsed * float64(time.Second))
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	if e.Output != "" {
		io.WriteString(b.logs[step], e.Output)
	}
	switch {
	case e.Action == "build-output":
		b.output[e.ImportPath] += e.Output
	case !known:
	case e.Action == "start":
		b.build.SetStep(step, buildabi.Running)
	case ended && e.Test == "":
		io.WriteString(b.logs[step], b.output[e.FailedBuild])
		b.finish(step, e.Action != "fail", elapsed)
	case ended && !strings.Contains(e.Test, "/"): // the others are part of these
		test := buildabi.Test{Name: e.Test, Time: uint64(elapsed)}
		if e.Action == "skip" {
			test.Time = buildabi.NotRun
		}
		b.tests[step] = append(b.tests[step], test)
	}
}
