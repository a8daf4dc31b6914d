package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestCommands(t *testing.T) {
	s := newSite(t)
	if _, err := s.run("status"); err == nil {
		t.Error("status of a server that does not run")
	}
	first := s.mustRun("call", "hello", "world")
	if first.Answer != "hello world" || !first.Started || first.PID == 0 || len(first.Instance) != 32 {
		t.Errorf("first call: %+v", first)
	}
	second := s.mustRun("call", "again")
	if second.Started || second.PID != first.PID || second.Instance != first.Instance {
		t.Errorf("second call: %+v", second)
	}
	status := s.mustRun("status")
	if status.PID != first.PID || status.Instance != first.Instance || status.Version != "1" {
		t.Errorf("status: %+v", status)
	}
	replaced := s.mustRun("replace")
	if replaced.PID == first.PID || replaced.Instance == first.Instance || !replaced.Started {
		t.Errorf("replaced: %+v", replaced)
	}
	for _, want := range []string{"drained", "not running"} {
		out, err := s.command("stop").Output()
		var got struct{ Outcome string }
		if json.Unmarshal(out, &got); got.Outcome != want || err != nil {
			t.Errorf("stop: %s, %v; want %s", out, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	s := newSite(t)
	for period, enough := range map[string]func(calls int) bool{
		"200ms": func(calls int) bool { return calls > 4 },
		"0":     func(calls int) bool { return calls == 4 }, // each caller calls once
	} {
		out, err := s.command("load", "-callers", "4", "-for", period).Output()
		var got struct {
			Calls  int
			Errors map[string]int
		}
		if json.Unmarshal(out, &got); err != nil || !enough(got.Calls) || got.Errors == nil || len(got.Errors) > 0 {
			t.Errorf("load for %s: %s, %v", period, out, err)
		}
	}
	if s.count(lifecycle.EventSpawnAttempt) != 1 {
		t.Errorf("%d servers started", s.count(lifecycle.EventSpawnAttempt))
	}
}

// TestIdleExit has the server end for lack of use under a client: the next call starts another.
func TestIdleExit(t *testing.T) {
	s := newSite(t)
	a := s.app(t, "1")
	a.idle = 20 * time.Millisecond
	c, err := lifecycle.Ensure(t.Context(), s.ep, a.options(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		before := c.Info().Process
		for before.Alive() { // its calls are long over: it ends by itself
		}
		if _, err := c.Call(t.Context(), opEcho, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.count(ipc.EventDiedIdle); n < 3 {
		t.Errorf("%d servers ended for lack of use", n)
	}
}

// TestRelativeFolder names the folder as the client sees it. The server runs in another one.
func TestRelativeFolder(t *testing.T) {
	s := newSite(t)
	cmd := s.command("call", "-dir", filepath.Base(s.dir), "hello")
	cmd.Dir = filepath.Dir(s.dir)
	first, err := parse(cmd.Output())
	if err != nil {
		t.Fatal(err)
	}
	if second := s.mustRun("call", "again"); second.PID != first.PID {
		t.Errorf("served by process %d, then by %d", first.PID, second.PID)
	}
}

// TestFailedStart has a server that cannot have its endpoint: the client says why, and what the
// server wrote to its log.
func TestFailedStart(t *testing.T) {
	s := newSite(t)
	lock := s.ep.Beside(".lock")
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := s.run("call", "hello")
	if err == nil || !strings.Contains(err.Error(), "its log ends in:") || strings.Count(err.Error(), filepath.Base(lock)) < 2 {
		t.Errorf("call of a server that cannot start: %+v, %v", got, err)
	}
	os.Remove(lock)
}

// TestEvents reads the file that client and server append to: it tells who did what, and why.
func TestEvents(t *testing.T) {
	s := newSite(t)
	got := s.mustRun("call", "hello")
	if outcome, err := lifecycle.Stop(t.Context(), s.ep, nil); outcome != lifecycle.Drained || err != nil {
		t.Fatal(outcome, err)
	}
	text, err := os.ReadFile(s.ep.Beside(".events"))
	if err != nil {
		t.Fatal(err)
	}
	type event struct {
		Kind, Endpoint, Instance, Version, Executable, Reason string
		PID, Server                                           int
	}
	told := make(map[string]event)
	for line := range bytes.Lines(text) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		told[e.Kind] = e
	}
	for _, kind := range []string{lifecycle.EventClaimed, lifecycle.EventListening, lifecycle.EventReady,
		ipc.EventDiedRequest, lifecycle.EventRefusing, lifecycle.EventReleased} {
		if e := told[kind]; e.Server != got.PID || e.Instance != got.Instance {
			t.Errorf("%s: %+v of server %+v", kind, e, got)
		}
	}
	attempt := told[lifecycle.EventSpawnAttempt]
	if attempt.PID == got.PID || attempt.Endpoint != s.ep.String() || attempt.Reason != lifecycle.ReasonNotRunning ||
		!filepath.IsAbs(attempt.Executable) || attempt.Version != "1" {
		t.Errorf("attempt: %+v", attempt)
	}
}

// TestEventsRotate starts a server with a file of events that is full.
func TestEventsRotate(t *testing.T) {
	s := newSite(t)
	path := s.ep.Beside(".events")
	old := bytes.Repeat([]byte("{}\n"), 1<<20/3+1)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	s.mustRun("call", "hello")
	kept, err := os.ReadFile(path + ".1")
	if err != nil || !bytes.HasPrefix(kept, old) {
		t.Errorf("the old file has %d bytes, %v", len(kept), err)
	}
	now, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(now, []byte(lifecycle.EventSpawnAttempt)) || len(now) > 1<<16 {
		t.Errorf("the new file has %d bytes, %v", len(now), err)
	}
}

// TestPipelineEnds reads what a command prints, to its end, as in "daemon call | cat": that comes
// although the server, which the command has started, goes on. The same holds for a descriptor that
// the command was given without knowing, such as one of a jobserver.
func TestPipelineEnds(t *testing.T) {
	s := newSite(t)
	extra, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	cmd := s.command("call", "hello")
	for range 3 { // the first number is taken again, by what the server does get
		passOn(cmd, theirs)
	}
	out, err := parse(cmd.CombinedOutput())
	theirs.Close()
	if err != nil || !out.Started {
		t.Fatalf("call: %+v, %v", out, err)
	}
	extra.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := extra.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Errorf("the server holds a descriptor of its starter: %d, %v", n, err)
	}
	if got := s.server(t); got.PID != out.PID {
		t.Errorf("served by %d, now by %d", out.PID, got.PID)
	}
}

// TestTimeoutOfServer bounds a server too: it drains when its time is up, long before it is idle.
func TestTimeoutOfServer(t *testing.T) {
	s := newSite(t)
	out, err := s.command("serve", "-timeout", "100ms", "-idle", "5s").CombinedOutput()
	if err != nil || s.count(ipc.EventDiedCancelled) != 1 {
		t.Errorf("%s, %v", out, err)
	}
}

// TestKillOther kills nobody who has the number of the process that is meant: here this one.
func TestKillOther(t *testing.T) {
	own, err := ipc.ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := kill(t.Context(), ipc.Process{PID: own.PID, Start: own.Start - 1}); err != nil {
		t.Error(err)
	}
}

// TestTwoVersionsAtOnce upgrades a server to two versions at the same time: the newest wins, every
// call is answered, and nobody goes back.
func TestTwoVersionsAtOnce(t *testing.T) {
	s := newSite(t)
	s.mustRun("call", "-version", "1", "up")
	results := make(chan error)
	const each = 6
	for i := range 2 * each {
		version := []string{"2", "3"}[i%2]
		cmd := s.command("call", "-version", version, "up")
		go func() {
			got, err := parse(cmd.Output())
			if err == nil && got.Version < version {
				t.Errorf("a client of version %s was served by %s", version, got.Version)
			}
			results <- err
		}()
	}
	for range 2 * each {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if now := s.mustRun("call", "-version", "3", "up"); now.Version != "3" || now.Started {
		t.Errorf("afterwards: %+v", now)
	}
	if n := s.count(lifecycle.EventSpawnAttempt); n > 3 {
		t.Errorf("%d servers started", n)
	}
	if alive := s.servers(); len(alive) != 1 {
		t.Errorf("servers that live: %v", alive)
	}
}

// TestStatusOfHaltedStart has a server that does not come to listen: status does not wait for it for long.
func TestStatusOfHaltedStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	claim, err := lifecycle.Claim(t.Context(), s.ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*statusTime)
	defer cancel()
	code := newApp().run(ctx, []string{"status", "-scope", "test", "-dir", s.dir})
	if code != 1 || ctx.Err() != nil {
		t.Errorf("code %d, %v", code, ctx.Err())
	}
}

// lateContext is one whose time is up and whose timer has not told yet.
type lateContext struct {
	context.Context
	looks int
}

func (c *lateContext) Err() error {
	if c.looks++; c.looks > 3 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestLoadEnds has the time of a load be up before its timer tells: a caller that went on would count failures.
func TestLoadEnds(t *testing.T) {
	s := newSite(t)
	s.mustRun("call")
	a := newApp()
	a.ep, a.version = s.ep, "1"
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if got := a.caller(t.Context(), &lateContext{Context: ctx}); len(got.times) != 1 || got.sample != nil {
		t.Errorf("%d calls, %v", len(got.times), got.sample)
	}
}
