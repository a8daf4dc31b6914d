package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestMain(m *testing.M) {
	os.Exit(testkit.Main(m, &testkit.Options{Roles: map[string]testkit.Role{"daemon": playDaemon}}))
}

// Variables that tell a child process, and the server that it starts, what to do besides.
const (
	roleVariable = "LARDER_TEST_ROLE"
	noteVariable = "LARDER_TEST_NOTES" // a file that gets a line for each event
	idsVariable  = "LARDER_TEST_IDS"   // a file that gets each id that the handler counts
	dieVariable  = "LARDER_TEST_DIE"   // "EVENT": the first process that gets there is killed
	haltVariable = "LARDER_TEST_HALT"  // "EVENT": the first process that gets there is stopped

	// raceVariable keeps the race detector from adding a second to the end of each process.
	raceVariable = "GORACE=atexit_sleep_ms=0"
)

// playDaemon is the command itself.
func playDaemon(args []string) int {
	a := newApp()
	a.out, a.errors = os.Stdout, os.Stderr
	return a.run(untilSignal(), args)
}

// newApp is the command with what tests add to it.
func newApp() *app {
	return &app{out: os.Stderr, errors: os.Stderr, register: countIDs, events: noteEvent}
}

// noteEvent writes a line for an event, and ends or stops this process if it is the first one
// there.
func noteEvent(e ipc.Event) {
	appendLine(os.Getenv(noteVariable), fmt.Sprintf("%s %d %d", e.Kind, os.Getpid(), e.Server))
	if e.Kind == os.Getenv(dieVariable) && first("died") {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			self.Kill()
		}
		select {}
	}
	if e.Kind == os.Getenv(haltVariable) && first("halted") {
		halt()
	}
}

// first reports whether this is the first process to ask.
func first(what string) bool {
	path := os.Getenv(noteVariable) + "." + what
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	fmt.Fprint(f, os.Getpid())
	return f.Close() == nil
}

// appendLine writes a line with one write, so that lines of many processes stay whole.
func appendLine(path, line string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(line + "\n")
	return err
}

// site is an endpoint of its own with a file of notes.
type site struct {
	t     testing.TB
	dir   string
	notes string
	ep    ipc.Endpoint
}

func newSite(t testing.TB) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "dmn")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: dir, notes: filepath.Join(dir, "notes")}
	if s.ep, err = ipc.NewEndpointIn(dir, "larder-daemon", "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.clean)
	return s
}

// clean ends the server, which no test framework knows of.
func (s *site) clean() {
	_, err := lifecycle.Stop(context.Background(), s.ep, &lifecycle.StopOptions{
		Kill: kill, ProbeTimeout: time.Second, DrainTimeout: time.Second,
	})
	if err != nil {
		s.t.Error(err)
	}
	if s.t.Failed() {
		log, _ := os.ReadFile(s.ep.Beside(".events"))
		notes, _ := os.ReadFile(s.notes)
		printed, _ := os.ReadFile(s.ep.Beside(".log"))
		s.t.Logf("events:\n%s\nand in short: event, process, server:\n%s\nprinted by servers:\n%s",
			log, notes, printed)
	}
	os.RemoveAll(s.dir)
}

// command is the command, not yet started.
func (s *site) command(verb string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := testkit.Command(s.t, "daemon", s.args(verb, args...)...)
	cmd.Env = append(cmd.Env, noteVariable+"="+s.notes, raceVariable)
	return cmd
}

func (s *site) args(verb string, args ...string) []string {
	return append([]string{verb, "-json", "-dir", s.dir, "-scope", "test", "-idle", "1m"}, args...)
}

// app is the command for use in this process; servers that it starts are processes.
func (s *site) app(t *testing.T, version string) *app {
	t.Helper()
	t.Setenv(roleVariable, "daemon")
	t.Setenv(noteVariable, s.notes)
	t.Setenv("GORACE", strings.TrimPrefix(raceVariable, "GORACE="))
	a := newApp()
	a.ep, a.dir, a.scope, a.version, a.idle = s.ep, s.dir, "test", version, time.Minute
	return a
}

// run runs the command to its end and returns what it prints.
func (s *site) run(verb string, args ...string) (served, error) {
	s.t.Helper()
	return parse(s.command(verb, args...).Output())
}

func (s *site) mustRun(verb string, args ...string) served {
	s.t.Helper()
	got, err := s.run(verb, args...)
	if err != nil {
		s.t.Fatalf("%s %q: %v", verb, args, err)
	}
	return got
}

func parse(out []byte, err error) (served, error) {
	var s served
	if exit, ok := err.(*exec.ExitError); ok {
		return s, fmt.Errorf("%w: %s%s", err, out, exit.Stderr)
	}
	if err == nil {
		err = json.Unmarshal(out, &s)
	}
	return s, err
}

// count returns how many events of a kind were noted.
func (s *site) count(kind string) (n int) {
	notes, err := os.ReadFile(s.notes)
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(notes)) {
		if strings.HasPrefix(line, kind+" ") {
			n++
		}
	}
	return n
}

// server waits until the server runs and returns its process.
func (s *site) server(t *testing.T) ipc.Process {
	t.Helper()
	c, err := ipc.DialConn(t.Context(), s.ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Process
}

// servers returns the processes that noted that they own the endpoint and that live.
func (s *site) servers() (alive []int) {
	notes, _ := os.ReadFile(s.notes)
	for line := range strings.Lines(string(notes)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != lifecycle.EventClaimed {
			continue
		}
		pid, _ := strconv.Atoi(fields[1])
		if p, err := ipc.ProcessOf(pid); err == nil && p.Alive() {
			alive = append(alive, pid)
		}
	}
	return alive
}
