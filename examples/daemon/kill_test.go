package main

import (
	"errors"
	"flag"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

var killClients = flag.Int("kill.clients", killClientsDefault, "clients that wait in TestKillAtEachStep")

// TestKillAtEachStep kills the first process that gets to a step, while many clients call: a server
// on its way up or down, or a client that starts, stops or replaces one. Nobody hangs, at most one
// server is left, and whoever comes next is served. Where a client is killed all others get their
// answer.
func TestKillAtEachStep(t *testing.T) {
	for _, c := range []struct {
		step   string
		client bool
	}{
		{lifecycle.EventClaimed, false}, {lifecycle.EventListening, false},
		{lifecycle.EventSpawnAttempt, true}, {lifecycle.EventSpawned, true}, {lifecycle.EventReady, true},
		{lifecycle.EventStopAsked, true}, {ipc.EventDiedRequest, false}, {lifecycle.EventRefusing, false},
		{lifecycle.EventReleased, false}, {lifecycle.EventStopped, true},
		{lifecycle.EventReplacing, true}, {lifecycle.EventReplaced, true},
	} {
		t.Run(c.step, func(t *testing.T) { killAt(t, c.step, c.client) })
	}
}

func killAt(t *testing.T, step string, client bool) {
	s := newSite(t)
	t.Setenv(dieVariable, step)
	var clients sync.WaitGroup
	run := func(verb string) {
		cmd := s.command(verb, "-timeout", "20s")
		clients.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil && client && !s.died(cmd.Process.Pid) {
				t.Errorf("%s: %v: %s", verb, err, out)
			}
		})
	}
	run("call")
	clients.Wait() // so that there is a server to stop or to replace, if nobody has died
	for i := range *killClients {
		verb := [8]string{1: "replace", 2: "stop"}[i%8]
		if verb == "" || verb == "stop" && replaces(step) {
			verb = "call" // a server that was stopped cannot be replaced
		}
		run(verb)
	}
	began := time.Now()
	clients.Wait()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the clients took %v", took)
	}
	if _, err := os.Stat(s.notes + ".died"); err != nil {
		t.Fatalf("nobody died: %v", err)
	}
	t.Setenv(dieVariable, "")
	s.callAfter(t)
	if alive := s.servers(); len(alive) != 1 {
		t.Errorf("servers that live: %v", alive)
	}
}

func replaces(step string) bool {
	return step == lifecycle.EventReplacing || step == lifecycle.EventReplaced
}

// died reports whether this process is the one that was killed.
func (s *site) died(pid int) bool {
	b, err := os.ReadFile(s.notes + ".died")
	return err == nil && string(b) == strconv.Itoa(pid)
}

// callAfter makes sure of a server after trouble. A start that has failed may keep it waiting.
func (s *site) callAfter(t *testing.T) {
	t.Helper()
	a := s.app(t, "1")
	c, err := lifecycle.Ensure(t.Context(), s.ep, a.options(nil))
	if back, ok := errors.AsType[*lifecycle.BackoffError](err); ok {
		<-time.After(back.Wait)
		c, err = lifecycle.Ensure(t.Context(), s.ep, a.options(nil))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Call(t.Context(), opEcho, []byte("hello")); err != nil {
		t.Error(err)
	}
}
