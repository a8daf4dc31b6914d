package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func TestEnsureStartsOne(t *testing.T) {
	h := newHost(t, "1")
	alone := 0
	o := h.options()
	o.Alone = func() { alone++ }
	spawn := o.Spawn
	o.Spawn = func(ctx context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		attempts := h.noted(lifecycle.EventSpawnAttempt)
		if len(attempts) != 1 || attempts[0].Reason != lifecycle.ReasonNotRunning ||
			attempts[0].Executable != "host" || attempts[0].Version != "1" ||
			attempts[0].PID != os.Getpid() {
			t.Errorf("before the spawn: %+v", attempts)
		}
		if info.Endpoint != h.ep || info.Reason != lifecycle.ReasonNotRunning || alone != 1 {
			t.Errorf("spawn %+v, alone %d", info, alone)
		}
		return spawn(ctx, info)
	}
	h.ensure(o)
	h.ensure(o)
	if h.spawns() != 1 {
		t.Errorf("%d servers started", h.spawns())
	}
	if ready := h.noted(lifecycle.EventReady); len(ready) != 1 || ready[0].Server != os.Getpid() ||
		ready[0].Instance == "" || ready[0].Took <= 0 {
		t.Errorf("ready: %+v", ready)
	}
}

func TestEnsureHerd(t *testing.T) {
	h := newHost(t, "1")
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			c, err := lifecycle.Ensure(t.Context(), h.ep, h.options())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := c.Call(t.Context(), opEcho, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if h.spawns() != 1 {
		t.Errorf("%d servers started", h.spawns())
	}
}

func TestEnsureWithoutSpawn(t *testing.T) {
	h := newHost(t, "1")
	if c, err := lifecycle.Ensure(t.Context(), h.ep, nil); !errors.Is(err, ipc.ErrNotRunning) {
		t.Fatalf("nobody there: %v, %v", c, err)
	}
	h.serve(nil)
	c, err := lifecycle.Ensure(t.Context(), h.ep, &lifecycle.Options{Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h.echo(c)
}

// TestEnsureVersions meets a server of another version.
func TestEnsureVersions(t *testing.T) {
	for _, c := range []struct {
		name, runs, wants, serves string
	}{
		{"equal", "3", "3", "3"}, {"newer", "10", "9", "10"}, {"older", "9", "10", "10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := newHost(t, c.runs)
			old.serve(nil)
			h := old.of(c.wants)
			defer h.servers.Wait()
			client := h.ensure(h.options())
			if got := client.Info().Version; got != c.serves {
				t.Errorf("served by version %s, want %s", got, c.serves)
			}
			if want := c.serves == c.wants && c.runs != c.wants; (h.spawns() == 1) != want {
				t.Errorf("%d servers started", h.spawns())
			}
			client.Close()
			lifecycle.Stop(t.Context(), h.ep, nil)
		})
	}
}

// TestTakeoverEvents replaces a server: two events that belong together.
func TestTakeoverEvents(t *testing.T) {
	old := newHost(t, "1")
	old.serve(nil)
	h := old.of("2")
	defer h.servers.Wait()
	h.ensure(h.options()).Close()
	from, to := h.noted(lifecycle.EventReplacing), h.noted(lifecycle.EventReplaced)
	if len(from) != 1 || len(to) != 1 {
		t.Fatalf("%d and %d events of a take-over", len(from), len(to))
	}
	if from[0].Link == "" || from[0].Link != to[0].Link || from[0].Old != os.Getpid() ||
		to[0].Old != os.Getpid() || to[0].Server != os.Getpid() || to[0].Instance == from[0].Instance ||
		from[0].Reason != lifecycle.ReasonReplace || to[0].Reason != lifecycle.ReasonReplace {
		t.Errorf("take-over:\n%+v\n%+v", from[0], to[0])
	}
	if stopped := h.noted(lifecycle.EventStopped); len(stopped) != 1 || stopped[0].Reason != "drained" {
		t.Errorf("stopped: %+v", stopped)
	}
	lifecycle.Stop(t.Context(), h.ep, nil)
}

func TestEnsureRefused(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	o := h.of("2").options()
	o.Compare = nil
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	refused, ok := errors.AsType[*lifecycle.RefusedError](err)
	if !ok || refused.Server.Version != "1" || refused.Server.Process.PID != os.Getpid() {
		t.Errorf("a version that cannot be ordered: %v", err)
	}
	h.ensure(h.options())
}

// TestEnsureUnparsable has a version that no order knows: it is looked at twice.
func TestEnsureUnparsable(t *testing.T) {
	old := newHost(t, "odd")
	old.serve(nil)
	h := old.of("2")
	defer h.servers.Wait()
	o := h.options()
	var seen []int
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		if s.Version == "odd" {
			seen = append(seen, s.Probes)
		}
		return lifecycle.PreferNewer("2", compareNumbers)(s)
	}
	c := h.ensure(o)
	if c.Info().Version != "2" || !slices.Equal(seen, []int{1, 2, 3}) {
		t.Errorf("served by version %s after probes %v", c.Info().Version, seen)
	}
	c.Close()
	lifecycle.Stop(t.Context(), h.ep, nil)
}

// TestEnsureNeverWanted starts servers that Decide does not want: it gives up.
func TestEnsureNeverWanted(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Decide = func(lifecycle.ServerInfo) lifecycle.Decision { return lifecycle.ReplaceIt }
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if _, ok := errors.AsType[*lifecycle.RefusedError](err); !ok || h.spawns() > 3 {
		t.Errorf("after %d servers: %v", h.spawns(), err)
	}
}

func TestEnsureSpawnFails(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	cause := errors.New("no such program")
	o.Spawn = func(context.Context, lifecycle.SpawnInfo) (<-chan error, error) { return nil, cause }
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if _, ok := errors.AsType[*lifecycle.StartError](err); !ok || !errors.Is(err, cause) {
		t.Fatalf("spawn that fails: %v", err)
	}
	cause = errors.New("another reason")
	_, err = lifecycle.Ensure(t.Context(), h.ep, o)
	back, ok := errors.AsType[*lifecycle.BackoffError](err)
	if !ok || back.Failures != 1 || back.Wait <= 0 || back.Wait > time.Second {
		t.Fatalf("right after a failure: %v", err)
	}
	says(t, err, "no such program")
	if got := len(h.noted(lifecycle.EventSpawnAttempt)); got != 1 {
		t.Errorf("%d attempts", got)
	}
	if failed, held := h.noted(lifecycle.EventSpawnFailed), h.noted(lifecycle.EventBackoff); len(failed) != 1 ||
		len(held) != 1 || failed[0].Err == nil || failed[0].Count != 1 {
		t.Errorf("events %+v and %+v", failed, held)
	}
}

// TestBackoffForgotten starts well after failures that are long ago: they are forgotten.
func TestBackoffForgotten(t *testing.T) {
	h := newHost(t, "1")
	path := h.ep.Beside(lifecycle.FailureSuffix)
	for range 3 {
		if err := lifecycle.AddFailure(path, time.Now().Add(-time.Hour), errors.New("old")); err != nil {
			t.Fatal(err)
		}
	}
	h.ensure(h.options())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file of failures: %v", err)
	}
}

func TestEnsureExits(t *testing.T) {
	h := newHost(t, "1")
	log := h.ep.Beside(".log")
	if err := os.WriteFile(log, []byte("from last week\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := h.options()
	o.Log = log
	o.Spawn = func(context.Context, lifecycle.SpawnInfo) (<-chan error, error) {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		fmt.Fprintln(f, "cannot read the configuration")
		exited := make(chan error, 1)
		exited <- errors.New("exit status 3")
		return exited, nil
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	start, ok := errors.AsType[*lifecycle.StartError](err)
	if !ok || start.Log != "cannot read the configuration" {
		t.Fatalf("server that exits at once: %v", err)
	}
	says(t, err, "exit status 3", "cannot read the configuration", "exited before it was ready")
}

func TestEnsureSaysWhyNot(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		info.Starter().Fail(errors.New("port of the database taken"))
		return nil, nil
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	says(t, err, "port of the database taken")
}

// TestEnsureNeverReady has a server that neither gets ready nor exits.
func TestEnsureNeverReady(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Timeout = time.Second
	keep := make(chan *os.File, 1)
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		keep <- dup(t, info)
		return make(chan error, 1), nil
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if len(keep) != 1 {
		t.Fatalf("no server was started: %v", err)
	}
	(<-keep).Close()
	if _, ok := errors.AsType[*lifecycle.StartError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("server that is never ready: %v", err)
	}
}

// TestEnsureGivenUp is ended by its caller: nothing is held against the server.
func TestEnsureGivenUp(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	ctx, cancel := context.WithCancel(t.Context())
	keep := make(chan *os.File, 1)
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		keep <- dup(t, info)
		cancel()
		return nil, nil
	}
	_, err := lifecycle.Ensure(ctx, h.ep, o)
	(<-keep).Close()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	h.ensure(h.options())
}

// TestEnsureReadyLate has the server come up after the first caller has given up, who waited for
// news of the start or, where the server has closed its handle, for an answer.
func TestEnsureReadyLate(t *testing.T) {
	for name, keep := range map[string]bool{"handle open": true, "handle closed": false} {
		t.Run(name, func(t *testing.T) { ensureReadyLate(t, keep) })
	}
}

func ensureReadyLate(t *testing.T, keep bool) {
	h := newHost(t, "1")
	o := h.options()
	o.Timeout = time.Second
	claims := make(chan *lifecycle.Held, 1)
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		if keep {
			handle := dup(t, info)
			t.Cleanup(func() { handle.Close() })
		}
		claims <- claim(t, h.ep)
		return nil, nil
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if len(claims) != 1 {
		t.Fatalf("no server was started: %v", err)
	}
	claim := <-claims
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who != claim.Info() {
		t.Errorf("server that is late: %v; want %v named", err, claim.Info())
	}
	h.serveClaim(claim)
	h.ensure(h.options())
	if h.spawns() != 0 || len(h.noted(lifecycle.EventKill)) != 0 {
		t.Errorf("%d more servers started, %d killed", h.spawns(), len(h.noted(lifecycle.EventKill)))
	}
}

// TestEnsureWaitsForStart meets a server that owns the endpoint and does not listen yet, for longer
// than a server may be silent: it is not taken for one that hangs.
func TestEnsureWaitsForStart(t *testing.T) {
	h := newHost(t, "1")
	claim := claim(t, h.ep)
	o, silent := h.impatient()
	ensured := h.ensureLater(o)
	for range 5 {
		<-silent
	}
	h.serveClaim(claim)
	if err := <-ensured; err != nil {
		t.Error(err)
	}
	if h.spawns() != 0 || len(h.noted(lifecycle.EventKill)) != 0 {
		t.Errorf("%d servers started, %d killed", h.spawns(), len(h.noted(lifecycle.EventKill)))
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
	for range 5 {
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
	if got := h.noted(lifecycle.EventUnanswered); len(got) < 2 || got[0].Err == nil {
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

func TestEnsureWedgedWithoutKill(t *testing.T) {
	h := newHost(t, "1")
	wedged := h.wedge("1")
	o := h.options()
	o.Kill = nil
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who != wedged.Info() || h.spawns() != 0 {
		t.Errorf("wedged server that nobody may kill: %v", err)
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

// TestEnsureFault refuses the server by its user: nothing is started, nothing ended.
func TestEnsureFault(t *testing.T) {
	h := newHost(t, "1")
	h.serve(nil)
	o := h.options()
	o.Client = &ipc.ClientOptions{Allow: func(ipc.Peer) bool { return false }}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if !errors.Is(err, ipc.ErrRefused) || h.spawns() != 0 || len(h.noted(lifecycle.EventKill)) != 0 {
		t.Errorf("server of a user that is not allowed: %v", err)
	}
	h.ensure(h.options())
}

// TestEnsureStopped waits for a starter that does not go on, and names it.
func TestEnsureStopped(t *testing.T) {
	h := newHost(t, "1")
	_, p := startSleeper(t)
	unlock, err := lifecycle.HoldStart(t.Context(), h.ep, p)
	if err != nil {
		t.Fatal(err)
	}
	o := h.options()
	o.Timeout = 100 * time.Millisecond
	_, err = lifecycle.Ensure(t.Context(), h.ep, o)
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who.Process != p || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("starter that does not go on: %v", err)
	}
	says(t, err, "another process to start", fmt.Sprint(p.PID))
	unlock()
	h.ensure(h.options())
}

// TestClientComesBack stops the server under a client: its next call starts another.
func TestClientComesBack(t *testing.T) {
	h := newHost(t, "1")
	c := h.ensure(h.options())
	first := c.Info().Instance
	for i := range 3 {
		if _, err := lifecycle.Stop(t.Context(), h.ep, nil); err != nil {
			t.Fatal(err)
		}
		h.echo(c)
		if h.spawns() != i+2 || c.Info().Instance == first {
			t.Errorf("%d servers started, served by %s", h.spawns(), c.Info().Instance)
		}
	}
}
