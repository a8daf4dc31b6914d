package lifecycle_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestEnsureWaitsForStart meets a server that owns the endpoint and does not listen yet, for longer
// than a server may be silent: it is not taken for one that hangs, even while its record is empty.
func TestEnsureWaitsForStart(t *testing.T) {
	for _, record := range []string{"written", "empty"} {
		t.Run(record, func(t *testing.T) {
			h := newHost(t, "1")
			claim := claim(t, h.ep)
			if record == "empty" {
				if err := os.Truncate(h.ep.Beside(lifecycle.ClaimSuffix), 0); err != nil {
					t.Fatal(err)
				}
			}
			o, silent := h.impatient()
			ensured := h.ensureLater(o)
			for range 3 {
				<-silent
			}
			h.serveClaim(claim)
			if err := <-ensured; err != nil {
				t.Error(err)
			}
			if h.spawns() != 0 || len(h.noted(lifecycle.EventKill)) != 0 {
				t.Errorf("%d servers started, %d killed", h.spawns(), len(h.noted(lifecycle.EventKill)))
			}
		})
	}
}

// TestEnsureWaitsForDrain meets a server that takes no connections because it finishes a call, for
// longer than a server may be silent: it is not taken for one that hangs.
func TestEnsureWaitsForDrain(t *testing.T) {
	h := newHost(t, "1")
	c, finish, called := h.busyServer("1")
	if err := c.Shutdown(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	o, silent := h.impatient()
	ensured := h.ensureLater(o)
	for range 3 {
		<-silent
	}
	finish <- true
	if err := errors.Join(<-called, <-ensured); err != nil {
		t.Error(err)
	}
	if h.spawns() != 1 || len(h.noted(lifecycle.EventKill)) != 0 {
		t.Errorf("%d servers started, %d killed", h.spawns(), len(h.noted(lifecycle.EventKill)))
	}
}

// TestEnsureWedged meets a server that listens and does not answer.
func TestEnsureWedged(t *testing.T) {
	h := newHost(t, "1")
	wedged := h.wedge("1")
	h.ensure(h.options())
	if got := h.noted(lifecycle.EventUnanswered); len(got) < 2 || got[0].Err == nil ||
		got[0].Server != os.Getpid() || got[0].Instance != wedged.Info().Instance {
		t.Errorf("probes without an answer: %+v", got)
	}
	kills, to := h.noted(lifecycle.EventKill), h.noted(lifecycle.EventReplaced)
	if len(kills) != 1 || kills[0].Instance != wedged.Info().Instance {
		t.Errorf("kills: %+v", kills)
	}
	if len(to) != 1 || to[0].Reason != lifecycle.ReasonWedged || h.spawns() != 1 {
		t.Errorf("take-over: %+v, %d servers started", to, h.spawns())
	}
}

// TestEnsureWedgedOther meets two servers that do not answer, one after the other: what is known
// of the first is not held against the second.
func TestEnsureWedgedOther(t *testing.T) {
	h := newHost(t, "1")
	first := h.wedge("1")
	o, _ := h.impatient()
	var probes []int
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		if probes = append(probes, s.Probes); len(probes) == 1 {
			first.Close()
			h.wedge("1")
			return lifecycle.WaitForIt
		}
		return lifecycle.RefuseIt
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if _, ok := errors.AsType[*lifecycle.RefusedError](err); !ok || !slices.Equal(probes, []int{1, 1}) {
		t.Errorf("looks that ended alike: %v, %v", probes, err)
	}
}

func TestEnsureWedgedWithoutKill(t *testing.T) {
	h := newHost(t, "1")
	wedged := h.wedge("1")
	o := h.options()
	o.Kill = nil
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who != wedged.Info() || timeout.Err == nil || h.spawns() != 0 {
		t.Errorf("wedged server that nobody may kill: %v", err)
	}
}

// TestEnsureSilentAndStarting meets a server that does not answer while another process is about
// to start or replace one. That is what the host is told, and those looks do not count when that
// process is gone.
func TestEnsureSilentAndStarting(t *testing.T) {
	h := newHost(t, "1")
	h.wedge("1")
	_, p := startSleeper(t)
	unlock, err := lifecycle.HoldStart(t.Context(), h.ep, p)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	o, _ := h.impatient()
	var looks []string
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		looks = append(looks, fmt.Sprint(s.State, s.Probes))
		switch len(looks) {
		case 1:
			return lifecycle.WaitForIt
		case 2:
			unlock()
			return lifecycle.WaitForIt
		}
		return lifecycle.RefuseIt
	}
	_, err = lifecycle.Ensure(t.Context(), h.ep, o)
	if _, ok := errors.AsType[*lifecycle.RefusedError](err); !ok {
		t.Error(err)
	}
	if want := []string{"starting 1", "starting 2", "ready 1"}; !slices.Equal(looks, want) {
		t.Errorf("looks %q, want %q", looks, want)
	}
}

// TestEnsureGarbage meets a server that answers something else.
func TestEnsureGarbage(t *testing.T) {
	h := newHost(t, "1")
	claim, err := lifecycle.Claim(t.Context(), h.ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.claims = append(h.claims, claim)
	l, err := claim.Listen()
	if err != nil {
		t.Fatal(err)
	}
	h.servers.Go(func() {
		for {
			f, err := l.Accept()
			if err != nil {
				return
			}
			f.Write(slices.Repeat([]byte("HTTP/1.1 400 Bad Request\r\n"), 20))
			f.Close()
		}
	})
	h.ensure(h.options())
	if h.spawns() != 1 {
		t.Errorf("%d servers started", h.spawns())
	}
}

func TestWedgedWithoutSpawn(t *testing.T) {
	h := newHost(t, "1")
	wedged := h.wedge("1")
	o := h.options()
	o.Spawn = nil
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	refused, ok := errors.AsType[*lifecycle.RefusedError](err)
	if !ok || refused.Server.Holder != wedged.Info() || !errors.Is(err, ipc.ErrTimeout) {
		t.Errorf("ensure: %v", err)
	}
	says(t, err, wedged.Info().Instance)
	if len(h.noted(lifecycle.EventKill)) > 0 {
		t.Error("the server was killed")
	}
}
