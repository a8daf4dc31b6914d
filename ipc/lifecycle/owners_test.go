package lifecycle_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

func startSleeper(t testing.TB) (*testkit.Child, ipc.Process) {
	t.Helper()
	c := testkit.Start(t, "sleeper")
	if line, err := c.Out.ReadString('\n'); line != "up\n" {
		t.Fatal(line, err)
	}
	p, err := ipc.ProcessOf(c.Cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

func TestOwners(t *testing.T) {
	var events []ipc.Event
	o := lifecycle.Owners{Events: func(e ipc.Event) { events = append(events, e) }}
	ended := make(chan error, 1)
	go func() { ended <- o.Run(t.Context()) }()
	a, first := startSleeper(t)
	b, second := startSleeper(t)
	for _, p := range []ipc.Process{first, second, first} {
		if err := o.Add(p.PID); err != nil {
			t.Fatal(err)
		}
	}
	if o.Count() != 2 {
		t.Errorf("%d owners", o.Count())
	}
	a.Kill()
	select {
	case err := <-ended:
		t.Fatalf("one of two owners has ended, and so has the rule: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if err := o.Add(first.PID); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a dead owner was added: %v", err)
	}
	b.Kill()
	if err := <-ended; err != nil || o.Count() != 0 {
		t.Errorf("after the last owner: %v, %d left", err, o.Count())
	}
	if len(events) != 1 || events[0].Kind != lifecycle.EventDiedOwners || events[0].Count != 2 {
		t.Errorf("events %+v", events)
	}
}

// TestOwnersDrain ends a server that has no idle time with its owner.
func TestOwnersDrain(t *testing.T) {
	h := newHost(t, "1")
	srv := ipc.NewServer(nil)
	claim := claim(t, h.ep)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), claim) }()
	owner, p := startSleeper(t)
	var o lifecycle.Owners
	if err := o.Add(p.PID); err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() {
		err := o.Run(t.Context())
		if err == nil {
			err = srv.Drain(t.Context(), "its last owner has ended")
		}
		drained <- err
	}()
	owner.Kill()
	if err := errors.Join(<-drained, <-served); err != nil {
		t.Error(err)
	}
}

// TestOwnersNone has no owner at all: the rule has not begun.
func TestOwnersNone(t *testing.T) {
	var o lifecycle.Owners
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := o.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without owners: %v", err)
	}
	if err := o.Add(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := o.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with an owner that lives: %v", err)
	}
}

func TestWaitGone(t *testing.T) {
	for name, wait := range map[string]func(context.Context, ipc.Process) error{
		"event": lifecycle.WaitGone, "poll": lifecycle.PollGone,
	} {
		t.Run(name, func(t *testing.T) {
			c, p := startSleeper(t)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := wait(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while it lives: %v", err)
			}
			if err := wait(t.Context(), ipc.Process{PID: p.PID, Start: p.Start - 1}); err != nil {
				t.Errorf("for the one that had its number before: %v", err)
			}
			c.Cmd.Process.Kill() // it stays as a zombie until the test's end
			if err := wait(t.Context(), p); err != nil {
				t.Error(err)
			}
			c.Kill()
			if err := wait(t.Context(), p); err != nil {
				t.Error(err)
			}
			if err := wait(t.Context(), ipc.Process{}); err != nil {
				t.Errorf("for no process: %v", err)
			}
		})
	}
}
