package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestReplace(t *testing.T) {
	h := newHost(t, "1")
	var last string
	for i := range 3 {
		c, err := lifecycle.Replace(t.Context(), h.ep, h.options())
		if err != nil {
			t.Fatal(err)
		}
		h.echo(c)
		if now := c.Info().Instance; now == last || h.spawns() != i+1 {
			t.Errorf("served by %s after %s, %d servers started", now, last, h.spawns())
		}
		last = c.Info().Instance
		c.Close()
	}
	if to := h.noted(lifecycle.EventReplaced); len(to) != 2 || to[0].Reason != lifecycle.ReasonAsked {
		t.Errorf("take-overs: %+v", to)
	}
}

func TestReplaceWedged(t *testing.T) {
	h := newHost(t, "1")
	h.wedge("1")
	c, err := lifecycle.Replace(t.Context(), h.ep, h.options())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.echo(c)
}

// TestReplaceTooEarly has just failed to start a server: the one that runs stays.
func TestReplaceTooEarly(t *testing.T) {
	old := newHost(t, "1")
	old.serve(nil)
	path := old.ep.Beside(lifecycle.FailureSuffix)
	h := old.of("2")
	for name, ensure := range map[string]func() (*ipc.Client, error){
		"ensure":  func() (*ipc.Client, error) { return lifecycle.Ensure(t.Context(), h.ep, h.options()) },
		"replace": func() (*ipc.Client, error) { return lifecycle.Replace(t.Context(), h.ep, h.options()) },
	} {
		for range 8 { // as a loop of crashes, so that the wait outlasts this test
			if err := lifecycle.AddFailure(path, time.Now(), errors.New("broken")); err != nil {
				t.Fatal(err)
			}
		}
		_, err := ensure()
		if _, ok := errors.AsType[*lifecycle.BackoffError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	old.ensure(old.options())
	if old.spawns()+h.spawns() > 0 {
		t.Error("a server was started")
	}
}

// TestReplaceWithoutSpawn may start nothing, so it ends nothing either.
func TestReplaceWithoutSpawn(t *testing.T) {
	old := newHost(t, "1")
	old.serve(nil)
	o := old.of("2").options()
	o.Spawn = nil
	_, err := lifecycle.Ensure(t.Context(), old.ep, o)
	refused, ok := errors.AsType[*lifecycle.RefusedError](err)
	if !ok || refused.Server.Version != "1" {
		t.Errorf("ensure: %v", err)
	}
	_, err = lifecycle.Replace(t.Context(), old.ep, o)
	if _, ok := errors.AsType[*lifecycle.RefusedError](err); !ok {
		t.Errorf("replace: %v", err)
	}
	old.ensure(old.options())
	if old.spawns() > 0 {
		t.Error("the server was stopped")
	}
}
