package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

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
