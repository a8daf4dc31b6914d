package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// options say how this program keeps its server running.
func (a *app) options(started *bool) *lifecycle.Options {
	self, _ := os.Executable() // for the events only
	return &lifecycle.Options{
		Executable: self,
		Spawn:      a.spawn, Kill: kill, Version: a.version, Compare: compareVersions,
		Log: a.ep.Beside(".log"), Timeout: a.timeout, Alone: func() { a.journal().Rotate() },
		Events: func(e ipc.Event) {
			if e.Kind == lifecycle.EventReady && started != nil {
				*started = true
			}
			a.log(e)
		},
	}
}

// served says who answered.
type served struct {
	Answer   string `json:"answer,omitempty"`
	PID      int    `json:"pid"`
	Instance string `json:"instance"`
	Version  string `json:"version"`
	Started  bool   `json:"started"` // by this command
}

func (s served) String() string {
	by := "ran already"
	if s.Started {
		by = "was started by this command"
	}
	return fmt.Sprintf("served by process %d, instance %s, version %s, which %s\n",
		s.PID, s.Instance, s.Version, by)
}

func (a *app) call(ctx context.Context, args []string) error {
	var s served
	c, err := lifecycle.Ensure(ctx, a.ep, a.options(&s.Started))
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.Call(ctx, opEcho, []byte(strings.Join(args, " ")))
	if err != nil {
		return err
	}
	s.Answer = string(answer)
	s.by(c.Info())
	a.print(s, s.Answer+"\n"+s.String())
	return nil
}

func (s *served) by(info ipc.ServerInfo) {
	s.PID, s.Instance, s.Version = info.Process.PID, info.Instance, info.Version
}

// statusTime is how long a server is waited for that begins or ends.
const statusTime = 2 * time.Second

// status asks a server that runs and starts none.
func (a *app) status(ctx context.Context, _ []string) error {
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	c, err := ipc.DialConn(ctx, a.ep, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	a.print(map[string]any{
		"pid": s.Process.PID, "instance": s.Instance, "version": s.Version, "state": s.State.String(),
		"uptime_ms": s.Uptime.Milliseconds(), "connections": s.Connections, "running": s.Running,
		"calls": s.Calls, "failed": s.Failed, "p99_us": s.Latency.Quantile(0.99).Microseconds(),
	}, fmt.Sprintf("process %d, instance %s, version %s: %s, up for %v; connections %d, calls %d\n",
		s.Process.PID, s.Instance, s.Version, s.State, s.Uptime.Round(time.Millisecond),
		s.Connections, s.Calls))
	return nil
}

func (a *app) stop(ctx context.Context, _ []string) error {
	outcome, err := lifecycle.Stop(ctx, a.ep, &lifecycle.StopOptions{
		Reason: "asked by the stop command", Version: a.version, Kill: kill, Events: a.log,
	})
	if err != nil {
		return err
	}
	a.print(map[string]any{"outcome": outcome.String()}, outcome.String()+"\n")
	return nil
}

func (a *app) replace(ctx context.Context, _ []string) error {
	var s served
	c, err := lifecycle.Replace(ctx, a.ep, a.options(&s.Started))
	if err != nil {
		return err
	}
	defer c.Close()
	s.by(c.Info())
	a.print(s, s.String())
	return nil
}

// kindOf sorts errors of calls.
func kindOf(err error) string {
	for _, k := range []struct {
		name  string
		cause error
	}{
		{"interrupted", context.Canceled}, {"timeout", context.DeadlineExceeded},
		{"not running", ipc.ErrNotRunning}, {"draining", ipc.ErrDraining}, {"busy", ipc.ErrBusy},
		{"wedged", ipc.ErrWedged},
	} {
		if errors.Is(err, k.cause) {
			return k.name
		}
	}
	if e, ok := errors.AsType[*ipc.CallError](err); ok && e.Outcome == ipc.MaybeProcessed {
		return "maybe processed"
	}
	return "other"
}
