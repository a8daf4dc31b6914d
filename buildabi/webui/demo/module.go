package main

import (
	"bufio"
	"bytes"
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

// build is one build: a step that compiles everything, and one for each package's tests.
func (m *module) build(ctx context.Context) {
	packages, names, problem := m.packages(ctx)
	names = append([]string{"go build"}, names...)
	b := &building{logs: m.logs.start(len(names)), version: m.version,
		build: m.board.StartBuild(names...), tests: make([][]buildabi.Test, len(names)),
		steps: make(map[string]int), began: time.Now()}
	for i, name := range packages {
		b.steps[name] = i + 1
	}
	b.set(0, buildabi.Running)
	err := problem
	if err == nil {
		err = b.follow(m.command(ctx, "build", "-json", "-o", os.DevNull, "./..."))
	}
	b.finish(0, err == nil, time.Since(b.began))
	if problem == nil {
		err = b.follow(m.command(ctx, "test", "-json", "./..."))
	}
	b.end(err)
}

// command is a run of the Go command that ends with ctx: asked to first, so that it can end what
// it has started.
func (m *module) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = m.dir
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// packages lists the module's packages, by import path, with what they are called in the module.
func (m *module) packages(ctx context.Context) (paths, names []string, err error) {
	cmd := m.command(ctx, "list", "-f", "{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}", "./...")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go list: %w\n%s", err, problem.Bytes())
	}
	for line := range strings.Lines(string(out)) {
		path, module, _ := strings.Cut(strings.TrimSpace(line), " ")
		paths = append(paths, path)
		names = append(names, "."+strings.TrimPrefix(path, module))
	}
	return paths, names, nil
}

// building is what is known of one build. Its calls on the board cannot fail: nobody else begins
// a build, and the steps are its own.
type building struct {
	build   *buildabi.Build
	version buildabi.Version
	began   time.Time
	steps   map[string]int // by package
	logs    []*stepLog
	tests   [][]buildabi.Test
}

func (b *building) set(step int, status buildabi.StepStatus) { b.build.SetStep(step, status) }

// finish is the end of a step.
func (b *building) finish(step int, ok bool, elapsed time.Duration) {
	if len(b.tests[step]) > 0 && b.version != buildabi.V1 {
		b.build.ReportTests(step, &buildabi.RunTestResult{Tests: b.tests[step]})
	} else {
		b.build.ReportTime(step, elapsed)
	}
	if ok {
		b.set(step, buildabi.Success)
	} else {
		b.set(step, buildabi.Failure)
	}
}

// end ends the build; err is what the last command said.
func (b *building) end(err error) {
	if err != nil {
		fmt.Fprintln(b.logs[0], err)
	}
	for _, l := range b.logs {
		l.end()
	}
	b.build.Finish(buildabi.Idle)
}

// follow runs a command that prints events, and returns how it ended.
func (b *building) follow(cmd *exec.Cmd) error {
	cmd.Stderr = b.logs[0]
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.read(out)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go %s: %w", cmd.Args[1], err)
	}
	return nil
}

// event is one of go build -json and go test -json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// read takes events until there are no more; other lines go to the first step's log.
func (b *building) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			b.take(&e)
		} else {
			b.logs[0].Write(line)
		}
		if err != nil {
			return
		}
	}
}

func (b *building) take(e *event) {
	name, _, _ := strings.Cut(e.Package+e.ImportPath, " [") // "p [p.test]" is p with its tests
	step, known := b.steps[name]
	elapsed := time.Duration(e.Elapsed * float64(time.Second))
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	switch {
	case e.Output != "":
		io.WriteString(b.logs[step], e.Output)
	case !known:
	case e.Action == "start":
		b.set(step, buildabi.Running)
	case ended && e.Test == "":
		b.finish(step, e.Action != "fail", elapsed)
		b.logs[step].end()
	case ended && !strings.Contains(e.Test, "/"): // the others are part of these
		test := buildabi.Test{Name: e.Test, Time: uint64(elapsed)}
		if e.Action == "skip" {
			test.Time = buildabi.NotRun
		}
		b.tests[step] = append(b.tests[step], test)
	}
}
