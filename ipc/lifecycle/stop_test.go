package lifecycle_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func wantStop(t testing.TB, h *host, o *lifecycle.StopOptions, want lifecycle.Outcome) {
	t.Helper()
	if got, err := lifecycle.Stop(t.Context(), h.ep, o); got != want || err != nil {
		t.Errorf("stop: %v, %v; want %v", got, err, want)
	}
	if h.ep.Listening() {
		t.Error("somebody still listens")
	}
}

func TestStop(t *testing.T) {
	h := newHost(t, "1")
	wantStop(t, h, nil, lifecycle.NotRunning)
	exited := h.serve(nil)
	o := &lifecycle.StopOptions{Reason: "test", Events: h.note}
	wantStop(t, h, o, lifecycle.Drained)
	if err := <-exited; err != nil {
		t.Errorf("server: %v", err)
	}
	wantStop(t, h, o, lifecycle.NotRunning)
	if asked := h.noted(lifecycle.EventStopAsked); len(asked) != 1 || asked[0].Reason != "test" ||
		asked[0].Server != os.Getpid() {
		t.Errorf("asked: %+v", asked)
	}
	if died := h.noted(ipc.EventDiedRequest); len(died) != 1 || died[0].Reason != "test" {
		t.Errorf("the server says: %+v", died)
	}
}

func TestStopProcess(t *testing.T) {
	h := newHost(t, "7")
	dir, _ := os.MkdirTemp("", "life")
	defer os.RemoveAll(dir)
	ep, err := ipc.NewEndpointIn(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	h.ep = ep
	c := startHolder(t, dir, "claim") // never listens
	p, err := ipc.ProcessOf(c.Cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	kill := func(_ context.Context, target ipc.Process) error {
		if target != p {
			t.Errorf("kill of %+v, want %+v", target, p)
		}
		return c.Cmd.Process.Kill()
	}
	short := &lifecycle.StopOptions{ProbeTimeout: 10 * time.Millisecond, DrainTimeout: 10 * time.Millisecond,
		StopTimeout: 10 * time.Millisecond}
	_, err = lifecycle.Stop(t.Context(), ep, short)
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who.Process != p {
		t.Errorf("stop of a server that does not go: %v", err)
	}
	short.Kill, short.StopTimeout = kill, time.Second
	wantStop(t, h, short, lifecycle.Killed)
	if p.Alive() {
		t.Error("the process lives")
	}
}

func TestStopWedged(t *testing.T) {
	h := newHost(t, "1")
	h.wedge("1")
	o := &lifecycle.StopOptions{Kill: h.kill, ProbeTimeout: 20 * time.Millisecond, Events: h.note}
	began := time.Now()
	wantStop(t, h, o, lifecycle.Killed)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v: a wedged server was given time to drain", took)
	}
	if looks := len(h.noted(lifecycle.EventUnanswered)); looks != 2 {
		t.Errorf("killed after %d looks", looks)
	}
}

// TestStopCallRuns stops a server while a call runs: that is finished first.
func TestStopCallRuns(t *testing.T) {
	h := newHost(t, "1")
	_, finish, called := h.busyServer("")
	stopped := make(chan error, 1)
	go func() {
		outcome, err := lifecycle.Stop(t.Context(), h.ep, nil)
		if outcome != lifecycle.Drained {
			t.Errorf("stop: %v, %v", outcome, err)
		}
		stopped <- err
	}()
	select {
	case err := <-stopped:
		t.Fatalf("stopped while a call ran: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	finish <- true
	if err := errors.Join(<-called, <-stopped); err != nil {
		t.Error(err)
	}
}

// stopsWith demands that a stop ends with the process of c, and not before.
func stopsWith(t *testing.T, c *testkit.Child, stopped <-chan error) {
	t.Helper()
	select {
	case err := <-stopped:
		t.Fatalf("stopped while the process lives: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	c.Wait()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestStopLingers has a server that has given everything up and does not end: it may still write.
func TestStopLingers(t *testing.T) {
	ep, dir := newEndpoint(t)
	c := startHolder(t, dir, "linger")
	stopped := make(chan error, 1)
	go func() {
		outcome, err := lifecycle.Stop(t.Context(), ep, nil)
		if outcome != lifecycle.Drained {
			t.Errorf("stop: %v", outcome)
		}
		stopped <- err
	}()
	if line, err := c.Out.ReadString('\n'); line != "drained\n" {
		t.Fatal(line, err)
	}
	stopsWith(t, c, stopped)
}

// TestStopKillFails cannot end a server that hangs, and does not say that it has: not even if that
// no longer says who it is.
func TestStopKillFails(t *testing.T) {
	h := newHost(t, "1")
	defer h.wedge("1").Close()
	cause := errors.New("not permitted")
	_, err := lifecycle.Stop(t.Context(), h.ep, &lifecycle.StopOptions{
		Kill: func(context.Context, ipc.Process) error {
			return errors.Join(cause, os.Truncate(h.ep.Beside(lifecycle.ClaimSuffix), 0))
		},
		ProbeTimeout: 20 * time.Millisecond, StopTimeout: 20 * time.Millisecond,
	})
	if _, ok := errors.AsType[*lifecycle.TimeoutError](err); !ok || !errors.Is(err, cause) {
		t.Errorf("stop: %v", err)
	}
}

// TestStopGivenUp is ended by its caller while the server finishes a call.
func TestStopGivenUp(t *testing.T) {
	h := newHost(t, "1")
	_, finish, called := h.busyServer("1")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the user has closed the window")
	_, err := lifecycle.Stop(ctx, h.ep, &lifecycle.StopOptions{Events: func(e ipc.Event) {
		if e.Kind == lifecycle.EventStopAsked {
			time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
		}
	}})
	if !errors.Is(err, cause) {
		t.Errorf("stop: %v", err)
	}
	finish <- true
	if err := <-called; err != nil {
		t.Error(err)
	}
}

func TestStopCancelled(t *testing.T) {
	h := newHost(t, "1")
	h.wedge("1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lifecycle.Stop(ctx, h.ep, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
}

// TestStopStarting stops a server that owns the endpoint and does not listen yet, for longer than
// a server may be silent: it is asked as soon as it does.
func TestStopStarting(t *testing.T) {
	h := newHost(t, "1")
	claim := claim(t, h.ep)
	silent := make(chan bool, 1000)
	stopped := make(chan error, 1)
	go func() {
		outcome, err := lifecycle.Stop(t.Context(), h.ep, &lifecycle.StopOptions{
			Kill: h.kill, ProbeTimeout: impatience,
			Events: func(e ipc.Event) {
				h.note(e)
				silent <- e.Kind == lifecycle.EventUnanswered
			},
		})
		if outcome != lifecycle.Drained {
			t.Errorf("stop: %v", outcome)
		}
		stopped <- err
	}()
	for range 3 {
		if !<-silent {
			t.Error("something else than a look has happened")
		}
	}
	h.serveClaim(claim)
	if err := <-stopped; err != nil || len(h.noted(lifecycle.EventStopAsked)) != 1 {
		t.Errorf("stop: %v, the server was asked %d times", err, len(h.noted(lifecycle.EventStopAsked)))
	}
}

// TestStopDraining stops a server that drains already and takes no connections, for longer than a
// server may be silent: its call is finished.
func TestStopDraining(t *testing.T) {
	h := newHost(t, "1")
	c, finish, called := h.busyServer("1")
	if err := c.Shutdown(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	looked := make(chan bool, 1)
	go func() {
		outcome, err := lifecycle.Stop(t.Context(), h.ep, &lifecycle.StopOptions{
			Kill: h.kill, ProbeTimeout: impatience,
			Events: func(e ipc.Event) {
				h.note(e)
				looked <- true
			},
		})
		if outcome != lifecycle.Drained {
			t.Errorf("stop: %v", outcome)
		}
		stopped <- err
	}()
	<-looked
	select {
	case <-looked:
		t.Errorf("events %+v while a call runs", h.events)
	case <-time.After(100 * time.Millisecond):
	}
	finish <- true
	if err := errors.Join(<-called, <-stopped); err != nil {
		t.Error(err)
	}
}

// TestStopReleased has a server give up its claim while Stop waits for it to listen, and live on: as in TestStopLingers,
// it may still write.
func TestStopReleased(t *testing.T) {
	ep, dir := newEndpoint(t)
	c := testkit.Start(t, "released", dir)
	if line, err := c.Out.ReadString('\n'); line != "up\n" {
		t.Fatal(line, err)
	}
	released, stopped := make(chan bool, 1), make(chan error, 1)
	told := false
	go func() {
		outcome, err := lifecycle.Stop(t.Context(), ep, &lifecycle.StopOptions{
			ProbeTimeout: 20 * time.Millisecond, Events: func(e ipc.Event) {
				if e.Kind == lifecycle.EventUnanswered && !told {
					told = true
					io.WriteString(c.In, "x")
					c.Out.ReadString('\n')
					released <- true
				}
			},
		})
		if outcome != lifecycle.Drained {
			t.Errorf("stop: %v", outcome)
		}
		stopped <- err
	}()
	<-released
	stopsWith(t, c, stopped)
}

// TestStopGoesByItself has a server give up its claim while Stop waits for it to listen: Stop sees that at once, and does
// not take its own start lock for a server on its way.
func TestStopGoesByItself(t *testing.T) {
	h := newHost(t, "1")
	claim := claim(t, h.ep)
	stopped := make(chan error, 1)
	go func() {
		_, err := lifecycle.Stop(t.Context(), h.ep, &lifecycle.StopOptions{ProbeTimeout: 5 * time.Second, Events: h.note})
		stopped <- err
	}()
	for lock := []byte(nil); len(lock) == 0; {
		lock, _ = os.ReadFile(h.ep.Beside(lifecycle.StartSuffix))
	}
	<-time.After(20 * time.Millisecond) // it looks; if not, it has less to see
	claim.Close()
	if err := <-stopped; err != nil || len(h.noted(lifecycle.EventUnanswered)) > 0 {
		t.Errorf("stop: %v, events %+v", err, h.events)
	}
}

// TestStopNobodyElse finds the record of a process that does not hold the claim, as in a copied
// folder, and a server that does not answer: no process is ended for another.
func TestStopNobodyElse(t *testing.T) {
	h := newHost(t, "1")
	_, bystander := startSleeper(t)
	record := lifecycle.FormatRecord(lifecycle.Info{Process: bystander, Instance: "x", Version: "1"})
	if err := os.WriteFile(h.ep.Beside(lifecycle.ClaimSuffix), record, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := ipc.Listen(h.ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	kill := func(_ context.Context, p ipc.Process) error {
		t.Errorf("kill of process %+v", p)
		return nil
	}
	_, err = lifecycle.Stop(t.Context(), h.ep, &lifecycle.StopOptions{
		Kill: kill, ProbeTimeout: 20 * time.Millisecond, Events: h.note,
	})
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Err == nil || len(h.noted(lifecycle.EventKill)) > 0 {
		t.Errorf("stop: %v, events %+v", err, h.events)
	}
	o := h.options()
	o.Kill, o.ProbeTimeout = kill, 20*time.Millisecond
	if _, err := lifecycle.Ensure(t.Context(), h.ep, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ensure: %v", err)
	}
}

// TestStopDead finds a lock that is held in the name of a process that is dead: nobody is killed
// under its number.
func TestStopDead(t *testing.T) {
	ep, _ := newEndpoint(t)
	defer lockDead(t, ep)()
	_, err := lifecycle.Stop(t.Context(), ep, &lifecycle.StopOptions{
		Kill: func(_ context.Context, p ipc.Process) error {
			t.Errorf("kill of process %+v", p)
			return nil
		},
		ProbeTimeout: 10 * time.Millisecond, StopTimeout: 10 * time.Millisecond,
	})
	if _, ok := errors.AsType[*lifecycle.TimeoutError](err); !ok {
		t.Errorf("stop: %v", err)
	}
}

// TestStopWaits has another process start a server and not go on: it is named when the time is up.
func TestStopWaits(t *testing.T) {
	ep, _ := newEndpoint(t)
	_, p := startSleeper(t)
	unlock, err := lifecycle.HoldStart(t.Context(), ep, p)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	const short = 10 * time.Millisecond
	_, err = lifecycle.Stop(t.Context(), ep, &lifecycle.StopOptions{
		ProbeTimeout: short, DrainTimeout: short, StopTimeout: short,
	})
	timeout, ok := errors.AsType[*lifecycle.TimeoutError](err)
	if !ok || timeout.Who.Process != p {
		t.Errorf("stop: %v", err)
	}
}

// TestStopOnFullDisk has no room for the record of who stops the server.
func TestStopOnFullDisk(t *testing.T) {
	const full = "/dev/full" // which takes nothing
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	h := newHost(t, "1")
	exited := h.serve(nil)
	if err := os.Symlink(full, h.ep.Beside(".start")); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(h.ep.Beside(".start")) // so that it can be stopped at least then
	if got, err := lifecycle.Stop(t.Context(), h.ep, nil); got != lifecycle.Drained || err != nil {
		t.Fatalf("stop: %v, %v", got, err)
	}
	if err := <-exited; err != nil {
		t.Errorf("server: %v", err)
	}
}
