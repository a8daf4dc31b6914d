package lifecycle_test

import (
	"errors"
	"sync"
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
	if looks := len(h.noted(lifecycle.EventUnanswered)); looks != 3 {
		t.Errorf("replaced after %d looks", looks)
	}
}

// TestReplaceStarting meets a server that owns the endpoint and does not listen yet: it is replaced as soon as it answers,
// by an instance that the claim does not know.
func TestReplaceStarting(t *testing.T) {
	h := newHost(t, "1")
	claim := claim(t, h.ep)
	o, silent := h.impatient()
	replaced := make(chan error, 1)
	go func() {
		c, err := lifecycle.Replace(t.Context(), h.ep, o)
		if err == nil {
			c.Close()
		}
		replaced <- err
	}()
	for range 3 {
		<-silent
	}
	h.serveClaim(claim)
	if err := <-replaced; err != nil || h.spawns() != 1 || len(h.noted(lifecycle.EventKill)) > 0 {
		t.Errorf("replace: %v, %d servers started, %d killed", err, h.spawns(), len(h.noted(lifecycle.EventKill)))
	}
}

// replacesNone demands that a replacement leaves the server that runs.
func (h *host) replacesNone(o *lifecycle.Options) {
	h.t.Helper()
	c, err := lifecycle.Replace(h.t.Context(), h.ep, o)
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	h.echo(c)
	if asked := h.noted(lifecycle.EventStopAsked); h.spawns() > 0 || len(asked) > 0 {
		h.t.Errorf("%d servers started, %d asked to stop", h.spawns(), len(asked))
	}
}

// TestReplaceReplaced finds that the server that was to be replaced has made room for another.
func TestReplaceReplaced(t *testing.T) {
	h := newHost(t, "1")
	exited := h.serve(nil)
	o := h.options()
	o.Alone = func() {
		c := h.ensure(&lifecycle.Options{Version: "1"})
		if err := errors.Join(c.Shutdown(t.Context(), "test"), <-exited); err != nil {
			t.Error(err)
		}
		h.serve(nil)
	}
	h.replacesNone(o)
}

// TestReplaceNone finds nobody, and another process starts a server meanwhile: that is younger than the call, and stays.
func TestReplaceNone(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Alone = sync.OnceFunc(func() { h.serve(nil) })
	h.replacesNone(o)
}

// TestReplaceGone finds that the server that was to be replaced has gone by itself.
func TestReplaceGone(t *testing.T) {
	h := newHost(t, "1")
	exited := h.serve(nil)
	gone := false
	o := h.options()
	o.Alone = func() {
		if gone {
			return
		}
		gone = true
		c := h.ensure(&lifecycle.Options{Version: "1"})
		if err := errors.Join(c.Shutdown(t.Context(), "test"), <-exited); err != nil {
			t.Error(err)
		}
	}
	c, err := lifecycle.Replace(t.Context(), h.ep, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.echo(c)
	if silent := h.noted(lifecycle.EventUnanswered); h.spawns() != 1 || len(silent) > 0 {
		t.Errorf("%d servers started, looks without an answer: %+v", h.spawns(), silent)
	}
}

// TestReplaceWaits leaves the server alone while another process starts or replaces one.
func TestReplaceWaits(t *testing.T) {
	old := newHost(t, "1")
	old.serve(nil)
	_, p := startSleeper(t)
	unlock, err := lifecycle.HoldStart(t.Context(), old.ep, p)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	h := old.of("2")
	o := h.options()
	o.Timeout = 200 * time.Millisecond
	_, err = lifecycle.Ensure(t.Context(), h.ep, o)
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who.Process != p || len(h.noted(lifecycle.EventStopAsked)) > 0 {
		t.Errorf("while another process replaces: %v", err)
	}
	old.ensure(old.options())
}

// TestReplaceOnce has the client of a replacement connect again: it takes the server that runs.
func TestReplaceOnce(t *testing.T) {
	h := newHost(t, "1")
	c, err := lifecycle.Replace(t.Context(), h.ep, h.options())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantStop(t, h, nil, lifecycle.Drained)
	h.ensure(h.options())
	h.echo(c)
	if h.spawns() != 2 {
		t.Errorf("%d servers started", h.spawns())
	}
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
