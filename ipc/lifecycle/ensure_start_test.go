package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

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

// TestEnsureLog has logs of all kinds: the error quotes the end of what the server has written.
func TestEnsureLog(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	for _, c := range []struct {
		name, before, after, want string
	}{
		{"appended to", "old\n", "old\nnew\n", "new"},
		{"made", "", "new\n", "new"},
		{"unchanged", "old\n", "old\n", ""},
		{"rotated", "old and long\n", "new\n", "new"},
		{"rotated and long", strings.Repeat("old\n", 5000), long, long[len(long)-2048:]},
		{"long", "old\n", "old\n" + long, long[len(long)-2048:]},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, "1")
			o := h.options()
			o.Log = h.ep.Beside(".log")
			if err := os.WriteFile(o.Log, []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
			o.Spawn = func(context.Context, lifecycle.SpawnInfo) (<-chan error, error) {
				return nil, errors.Join(errors.New("no"), os.WriteFile(o.Log, []byte(c.after), 0o600))
			}
			_, err := lifecycle.Ensure(t.Context(), h.ep, o)
			if start, ok := errors.AsType[*lifecycle.StartError](err); !ok || start.Log != c.want {
				t.Errorf("quoted %v, want %q", err, c.want)
			}
		})
	}
}

// TestEnsureGone starts servers that get ready and die at once, which leaves their record: it gives up,
// quotes the last one and has the next caller wait.
func TestEnsureGone(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Timeout, o.Log = 2*time.Second, h.ep.Beside(".log")
	starts := 0
	o.Spawn = func(ctx context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		starts++
		c, err := lifecycle.Claim(ctx, h.ep, &lifecycle.ClaimOptions{Starter: info.Starter()})
		if err != nil {
			return nil, err
		}
		_, err = c.Listen()
		f, err2 := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		fmt.Fprintln(f, "fault", starts)
		record, err3 := os.ReadFile(h.ep.Beside(lifecycle.ClaimSuffix))
		err = errors.Join(err, err2, f.Close(), err3, c.Close())
		return nil, errors.Join(err, os.WriteFile(h.ep.Beside(lifecycle.ClaimSuffix), record, 0o600))
	}
	path := h.ep.Beside(lifecycle.FailureSuffix)
	for calls := 1; calls <= 3; calls++ {
		starts = 0
		_, err := lifecycle.Ensure(t.Context(), h.ep, o)
		failed, ok := errors.AsType[*lifecycle.StartError](err)
		if !ok || failed.Log != "fault 3" || starts != 3 {
			t.Errorf("after %d servers: %v", starts, err)
		}
		count, cause, wait := lifecycle.Failures(path, time.Now())
		if count != calls || !strings.Contains(cause, "has stayed") || wait == 0 {
			t.Errorf("%d failures are remembered after %d, because of %q", count, calls, cause)
		}
		// They are an hour old then: nobody waits any more.
		os.Remove(path)
		for range calls {
			if err := lifecycle.AddFailure(path, time.Now().Add(-time.Hour), errors.New(cause)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestEnsureDiesWithClaim starts servers that die with a claim before they are ready, of whose exit nobody tells: the claim
// is still held for a moment, as that of another server would be. It gives up all the same, and has the next caller wait.
func TestEnsureDiesWithClaim(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Timeout = 3 * time.Second
	starts := 0
	o.Spawn = func(context.Context, lifecycle.SpawnInfo) (<-chan error, error) {
		starts++
		f, err := lifecycle.TryLock(h.ep.Beside(lifecycle.ClaimSuffix))
		if err != nil {
			return nil, err
		}
		time.AfterFunc(100*time.Millisecond, func() { f.Close() }) // later than it is looked at
		return nil, lifecycle.WriteRecord(f, lifecycle.Info{Process: ipc.Process{PID: 1 << 30, Start: 1}})
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if _, ok := errors.AsType[*lifecycle.StartError](err); !ok || starts > 3 {
		t.Errorf("after %d servers: %v", starts, err)
	}
	if count, cause, _ := lifecycle.Failures(h.ep.Beside(lifecycle.FailureSuffix), time.Now()); count != 1 {
		t.Errorf("%d failures are remembered, because of %q", count, cause)
	}
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

// TestEnsureLogIsWhole has a server tell why it will not come before it writes so into its log.
func TestEnsureLogIsWhole(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Log = h.ep.Beside(".log")
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		info.Starter().Fail(errors.New("no"))
		exited := make(chan error, 1)
		time.AfterFunc(50*time.Millisecond, func() {
			exited <- os.WriteFile(o.Log, []byte("what led to it\n"), 0o600)
		})
		return exited, nil
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	says(t, err, ": no; its log ends in:\nwhat led to it")
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
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the user has closed the window")
	keep := make(chan *os.File, 1)
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		keep <- dup(t, info)
		cancel(cause)
		return nil, nil
	}
	_, err := lifecycle.Ensure(ctx, h.ep, o)
	(<-keep).Close()
	if !errors.Is(err, cause) {
		t.Errorf("given up: %v", err)
	}
	h.ensure(h.options())
}

// TestEnsureReadyLate has the server come up after the first caller has given up, who waited for
// news of the start or, where the server has closed its handle, for an answer.
func TestEnsureReadyLate(t *testing.T) {
	cases := map[string]struct {
		keep   bool
		exited chan error
		says   string
	}{
		"handle open":                {true, nil, "Readiness.Ready"},
		"handle closed":              {false, nil, "wait for a server"},
		"handle closed, process not": {false, make(chan error), "SpawnInfo.Inherit"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { ensureReadyLate(t, c.keep, c.exited, c.says) })
	}
}

func ensureReadyLate(t *testing.T, keep bool, exited chan error, says string) {
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
		return exited, nil
	}
	_, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if len(claims) != 1 {
		t.Fatalf("no server was started: %v", err)
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("no word of %s: %v", says, err)
	}
	claim := <-claims
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who != claim.Info() || errors.Is(err, ipc.ErrNotRunning) {
		t.Errorf("server that is late: %v; want %v named", err, claim.Info())
	}
	h.serveClaim(claim)
	h.ensure(h.options())
	if h.spawns() != 0 || len(h.noted(lifecycle.EventKill)) != 0 {
		t.Errorf("%d more servers started, %d killed", h.spawns(), len(h.noted(lifecycle.EventKill)))
	}
}

// TestEnsureStartedIsStarting has started a server that is not ready yet when it first answers: the
// host is not asked about it.
func TestEnsureStartedIsStarting(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Spawn = func(_ context.Context, info lifecycle.SpawnInfo) (<-chan error, error) {
		srv := ipc.NewServer(&ipc.ServerOptions{Version: "1", Starting: true})
		claim, err := lifecycle.Claim(t.Context(), h.ep, &lifecycle.ClaimOptions{Starter: info.Starter()})
		if err != nil {
			return nil, err
		}
		up := &upSource{claim, make(chan struct{})}
		h.servers.Go(func() { srv.Serve(context.Background(), up) })
		<-up.up
		time.AfterFunc(100*time.Millisecond, srv.Ready)
		return nil, nil
	}
	o.Decide = func(s lifecycle.ServerInfo) lifecycle.Decision {
		if s.State != ipc.Ready {
			t.Errorf("asked about a server that is %v", s.State)
		}
		return lifecycle.UseIt
	}
	c, err := lifecycle.Ensure(t.Context(), h.ep, o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestEnsureTooLate gets the start lock when another process has just started a server.
func TestEnsureTooLate(t *testing.T) {
	h := newHost(t, "1")
	o := h.options()
	o.Alone = func() { h.serve(nil) }
	h.ensure(o)
	if h.spawns() != 0 {
		t.Errorf("%d more servers started", h.spawns())
	}
}
