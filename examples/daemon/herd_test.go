package main

import (
	"flag"
	"sync"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

var (
	herdTrials  = flag.Int("herd.trials", herdTrialsDefault, "cold starts of TestHerd")
	herdClients = flag.Int("herd.clients", herdClientsDefault, "clients of each cold start of TestHerd")
)

// TestHerd starts many client processes at once where no server runs: one server is started, and
// all speak to that one.
func TestHerd(t *testing.T) {
	for range *herdTrials {
		if !t.Run("trial", herd) {
			return
		}
	}
}

func herd(t *testing.T) {
	s := newSite(t)
	var clients sync.WaitGroup
	got := make([]served, *herdClients)
	for i := range got {
		cmd := s.command("call", "hello")
		clients.Go(func() {
			var err error
			if got[i], err = parse(cmd.Output()); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	started := 0
	for _, g := range got {
		if g.Started {
			started++
		}
		if g.PID != got[0].PID || g.Instance != got[0].Instance || g.Answer != "hello" {
			t.Errorf("served %+v, and %+v", g, got[0])
		}
	}
	if started != 1 || s.count(lifecycle.EventSpawnAttempt) != 1 || s.count(lifecycle.EventClaimed) != 1 {
		t.Errorf("%d clients say that they started the server, %d attempts, %d claims", started,
			s.count(lifecycle.EventSpawnAttempt), s.count(lifecycle.EventClaimed))
	}
}
