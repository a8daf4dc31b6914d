package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// sample is a module with a package that passes, one that fails, one that does not compile, one that
// needs that, one whose tests do not compile and one that imports what there is not.
var sample = map[string]string{
	"go.mod":    "module sample\n\ngo 1.26\n",
	"good/a.go": "package good\n",
	"good/a_test.go": `package good
import "testing"
func TestGood(t *testing.T) { t.Run("sub", func(*testing.T) {}) }
func TestNot(t *testing.T) { t.Skip() }
`,
	"bad/a.go": "package bad\n",
	"bad/a_test.go": `package bad
import "testing"
func TestBad(t *testing.T) { t.Error("it is bad") }
`,
	"broken/a.go":        "package broken\nvar x int = \"text\"\n",
	"broken/a_test.go":   "package broken\n",
	"needs/a.go":         "package needs\nimport _ \"sample/broken\"\n",
	"needs/a_test.go":    "package needs\n",
	"untested/a.go":      "package untested\n",
	"untested/a_test.go": "package untested_test\nvar x = undefined\n",
}

func writeSample(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range sample {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666))
	}
	return dir
}

// seen is what a client knows at the end of a build.
type seen struct {
	names    []string
	statuses map[string]buildabi.StepStatus
	tests    map[string][]string
}

// watch follows one build to its end. Names are the steps, as far as they are known. The last pass
// tells of the end first, and then of the steps and their reports.
func watch(t *testing.T, next func() buildabi.Message, names ...string) *seen {
	t.Helper()
	s := &seen{names: names, statuses: map[string]buildabi.StepStatus{}, tests: map[string][]string{}}
	for idle := false; !idle || !s.whole(); {
		switch m := next().(type) {
		case *buildabi.Hello:
			s.names = m.Steps
			for i, name := range m.Steps {
				s.statuses[name] = m.Statuses.Get(i)
			}
			idle = m.Status == buildabi.Idle
		case *buildabi.StepUpdate:
			s.statuses[s.names[m.Step]] = m.Status
		case *buildabi.GenericResult: // all that V1 has
			if name := s.names[m.Step]; s.tests[name] == nil {
				s.tests[name] = []string{}
			}
		case *buildabi.RunTestResult:
			name := s.names[m.Step]
			s.tests[name] = nil
			for _, test := range m.Tests {
				if test.Time == buildabi.NotRun {
					test.Name += " not run"
				}
				s.tests[name] = append(s.tests[name], test.Name)
			}
		case *buildabi.StatusUpdate:
			idle = m.New == buildabi.Idle
		}
	}
	return s
}

// whole reports whether all steps have ended and the packages with tests have reported.
func (s *seen) whole() bool {
	for _, status := range s.statuses {
		if status != buildabi.Success && status != buildabi.Failure {
			return false
		}
	}
	for _, name := range []string{"./good", "./bad"} {
		if slices.Contains(s.names, name) && s.tests[name] == nil {
			return false
		}
	}
	return true
}

// check compares what a client saw with what is in the sample.
func (s *seen) check(t *testing.T) {
	t.Helper()
	for name, want := range map[string]buildabi.StepStatus{
		"go build": buildabi.Failure, "go test": buildabi.Failure, "./good": buildabi.Success,
		"./bad": buildabi.Failure, "./broken": buildabi.Failure, "./needs": buildabi.Failure,
		"./untested": buildabi.Failure,
	} {
		if got, ok := s.statuses[name]; got != want || !ok {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if len(s.names) != 7 {
		t.Errorf("steps %q", s.names)
	}
}

// log returns the log of a step, by its name.
func (s *seen) log(t *testing.T, address, name string) string {
	t.Helper()
	for i, n := range s.names {
		if n == name {
			return body(t, address+"steps/"+string(rune('0'+i))+"/log")
		}
	}
	t.Fatalf("no step %s in %q", name, s.names)
	return ""
}

// TestModule builds a real module, twice, and plays what was recorded of that.
func TestModule(t *testing.T) {
	file := filepath.Join(t.TempDir(), "record.jsonl")
	address, stop := start(t, "-record", file, writeSample(t))
	c := dial(t, address, buildabi.V3)
	live := func() buildabi.Message { return next(t, c) }
	first := watch(t, live)
	first.check(t)
	if got := strings.Join(first.tests["./good"], ", "); got != "TestGood, TestNot not run" {
		t.Errorf("tests: %s", got)
	}
	for name, want := range map[string]string{"./good": "--- PASS: TestGood ",
		"./bad": "it is bad", "./broken": "cannot use", "./needs": "cannot use",
		"./untested": "undefined: undefined", "go build": "go build: exit status 1",
		"go test": "go test: exit status 1"} {
		if got := first.log(t, address, name); strings.Count(got, want) != 1 {
			t.Errorf("log of %s: %s", name, got)
		}
	}
	if page := body(t, address); !strings.Contains(page, "Rebuild") {
		t.Errorf("the page is %q", page)
	}
	must(t, c.Rebuild(t.Context()))
	for {
		if m, ok := live().(*buildabi.StatusUpdate); ok && m.New == buildabi.Building {
			break
		}
	}
	watch(t, live, first.names...) // until what ran again has reported
	c.Close()
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	replayed(t, file)
}

// replayed plays a recording of the sample's build.
func replayed(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	if !strings.Contains(string(text), `"dir":"c2s","hex":"00"`) {
		t.Error("the click was not recorded")
	}
	address, stop := start(t, "-replay", file, "-speed", "1000")
	c := dial(t, address, buildabi.V3)
	watch(t, func() buildabi.Message { return next(t, c) }).check(t)
	must(t, c.Close())
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestNoModule shows that what keeps a build from starting is in the log.
func TestNoModule(t *testing.T) {
	bad := t.TempDir()
	must(t, os.WriteFile(filepath.Join(bad, "go.mod"), []byte("nonsense\n"), 0o666))
	for dir, want := range map[string]string{
		t.TempDir(): "does not contain main module", bad: "unknown directive"} {
		address, stop := start(t, "-abi", "v1", dir)
		c := dial(t, address, buildabi.V1)
		s := watch(t, func() buildabi.Message { return next(t, c) })
		if s.statuses["go build"] != buildabi.Failure || len(s.names) != 2 {
			t.Errorf("statuses %v", s.statuses)
		}
		if log := s.log(t, address, "go build"); !strings.Contains(log, want) {
			t.Errorf("log %q", log)
		}
		c.Close()
		stop()
	}
}

// TestMissingImport shows that a package that imports what there is not leaves the others their
// steps.
func TestMissingImport(t *testing.T) {
	dir := writeSample(t)
	missing := filepath.Join(dir, "missing.go")
	must(t, os.WriteFile(missing, []byte("package sample\nimport _ \"sample/nowhere\"\n"), 0o666))
	address, stop := start(t, "-abi", "v1", dir)
	c := dial(t, address, buildabi.V1)
	s := watch(t, func() buildabi.Message { return next(t, c) })
	if s.statuses["."] != buildabi.Failure || s.statuses["./good"] != buildabi.Success {
		t.Errorf("statuses %v", s.statuses)
	}
	if log := s.log(t, address, "."); !strings.Contains(log, "sample/nowhere") {
		t.Errorf("log %q", log)
	}
	c.Close()
	stop()
}

// TestLive shows that what a test prints is seen before it has ended, and that it ends with the
// command.
func TestLive(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module sample\n\ngo 1.26\n"), 0o666),
		os.WriteFile(filepath.Join(dir, "a_test.go"), []byte(`package sample
import ("fmt"; "os"; "testing")
func Test(t *testing.T) { fmt.Println("process", os.Getpid()); select {} }
`), 0o666))
	address, stop := start(t, dir)
	c := dial(t, address, buildabi.V3)
	for begun := false; !begun; {
		_, begun = next(t, c).(*buildabi.Hello)
	}
	r, err := http.Get(address + "steps/2/log")
	must(t, err)
	pid := 0
	for lines := bufio.NewScanner(r.Body); pid == 0 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "process %d", &pid)
	}
	for running := false; !running; {
		u, ok := next(t, c).(*buildabi.StepUpdate)
		running = ok && u.Step == firstPackage && u.Status == buildabi.Running
	}
	if log := body(t, address+"steps/0/log"); log != "" { // it ends before the build does
		t.Errorf("go build printed %q", log)
	}
	must(t, r.Body.Close(), c.Close())
	http.DefaultClient.CloseIdleConnections()
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	test, err := os.FindProcess(pid)
	if err == nil {
		err = test.Signal(syscall.Signal(0))
	}
	if !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the test goes on: %v", err)
	}
}

// TestNoEvent shows that what a command prints besides events is in its log, too.
func TestNoEvent(t *testing.T) {
	var all logs
	b := &building{logs: all.start(firstPackage), command: goTest}
	b.read(strings.NewReader("{}\nplain\n{\"Action\":\"output\",\"Output\":\"of none\\n\"}\nlast"))
	if got := string(b.logs[goTest].text); got != "plain\nof none\nlast" {
		t.Errorf("log %q", got)
	}
}
