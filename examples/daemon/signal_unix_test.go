//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestWedgedServer stops the server's process: it is found out, killed and replaced.
func TestWedgedServer(t *testing.T) {
	s := newSite(t)
	first := s.mustRun("call", "hello")
	testkit.StopProcess(t, first.PID)
	a := s.app(t, "1")
	o := a.options(nil)
	o.ProbeTimeout = 100 * time.Millisecond
	began := time.Now()
	c, err := lifecycle.Ensure(t.Context(), s.ep, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Logf("replaced after %v", time.Since(began))
	if c.Info().Process.PID == first.PID || s.count(lifecycle.EventKill) != 1 {
		t.Errorf("served by %+v, %d kills", c.Info(), s.count(lifecycle.EventKill))
	}
	if alive := s.servers(); len(alive) != 1 || alive[0] != c.Info().Process.PID {
		t.Errorf("servers that live: %v", alive)
	}
}

// TestStopWedgedServer stops a server whose process does not run.
func TestStopWedgedServer(t *testing.T) {
	s := newSite(t)
	first := s.mustRun("call", "hello")
	testkit.StopProcess(t, first.PID)
	outcome, err := lifecycle.Stop(t.Context(), s.ep, &lifecycle.StopOptions{
		Kill: kill, ProbeTimeout: 100 * time.Millisecond,
	})
	if outcome != lifecycle.Killed || err != nil || len(s.servers()) != 0 {
		t.Errorf("stop: %v, %v; servers %v", outcome, err, s.servers())
	}
}

// TestHaltedStarter stops the client that starts the server: the others name it when their time is
// up, and are served when it goes on.
func TestHaltedStarter(t *testing.T) {
	s := newSite(t)
	t.Setenv(haltVariable, lifecycle.EventSpawnAttempt)
	starter := s.command("call", "hello")
	done := make(chan error, 1)
	go func() {
		_, err := parse(starter.Output())
		done <- err
	}()
	pid := s.waitFor(t, "halted")
	_, err := s.run("call", "-timeout", "300ms", "hello")
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf(`process %d, version "1"`, pid)) {
		t.Errorf("while process %d is halted: %v", pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := s.mustRun("call", "hello"); got.Started || len(s.servers()) != 1 {
		t.Errorf("afterwards: %+v, servers %v", got, s.servers())
	}
}

// waitFor waits until a process has done what it does first, and returns its number.
func (s *site) waitFor(t *testing.T, what string) int {
	t.Helper()
	for {
		b, err := os.ReadFile(s.notes + "." + what)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if pid, err := strconv.Atoi(string(b)); err == nil {
			return pid
		}
	}
}

// TestTerminalSignals sends what Ctrl-C and a closed terminal send to the starter's group and
// session.
func TestTerminalSignals(t *testing.T) {
	s := newSite(t)
	cmd := s.command("load", "-callers", "1", "-for", "1m")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s.count(lifecycle.EventReady) == 0 {
	}
	server := s.server(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
		if err := syscall.Kill(-cmd.Process.Pid, sig); err != nil && sig == syscall.SIGINT {
			t.Fatal(err)
		}
	}
	cmd.Wait()
	if now := s.mustRun("call", "hello"); now.PID != server.PID || now.Started {
		t.Errorf("server %d before, now %+v", server.PID, now)
	}
	dir, err := os.Readlink("/proc/" + strconv.Itoa(server.PID) + "/cwd")
	if err == nil && dir != "/" {
		t.Errorf("the server runs in %s", dir)
	}
}

// TestServeDrains sends a server in the foreground what a service manager or Ctrl-C sends: it ends
// well, and a client that calls without pause gets to the next server without an error.
func TestServeDrains(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			s := newSite(t)
			server := s.command("serve")
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			for s.count(lifecycle.EventListening) == 0 {
			}
			c, err := lifecycle.Ensure(t.Context(), s.ep, s.app(t, "1").options(nil))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			server.Process.Signal(sig)
			for c.Info().Process.PID == server.Process.Pid {
				if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := server.Wait(); err != nil || s.count(ipc.EventDiedCancelled) != 1 {
				t.Errorf("server: %v, said %d times why", err, s.count(ipc.EventDiedCancelled))
			}
		})
	}
}
