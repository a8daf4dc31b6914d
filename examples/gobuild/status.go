package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// runStatus tells what the broker of a store does; it starts none.
func runStatus(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	ctx, ep, stop, err := meet(*dir)
	if err != nil {
		return exitFailure, err
	}
	defer stop()
	s, err := statusOf(ctx, ep)
	switch {
	case errors.Is(err, ipc.ErrNotRunning):
		return exitFailure, c.notRunning(*asJSON)
	case errors.Is(err, context.DeadlineExceeded):
		return exitFailure, fmt.Errorf("the broker does not answer: %w", err)
	case err != nil:
		return exitFailure, err
	}
	if *asJSON {
		return exitOK, printJSON(c.stdout, map[string]any{
			"pid": s.Process.PID, "instance": s.Instance, "version": s.Version, "state": s.State.String(),
			"uptime_ms": s.Uptime.Milliseconds(), "sessions": s.Streams, "calls": s.Calls, "failed": s.Failed,
		})
	}
	_, err = fmt.Fprintf(c.stdout, "process %d, %s for %v: %d sessions, %d requests answered, %d failed, p99 %v\n",
		s.Process.PID, s.State, s.Uptime.Round(time.Second), s.Streams, s.Calls, s.Failed, s.Latency.Quantile(0.99))
	return exitOK, err
}

// statusOf asks a broker. It has some patience with one that begins or ends.
func statusOf(ctx context.Context, ep ipc.Endpoint) (ipc.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := ipc.DialConn(ctx, ep, nil)
	if err != nil {
		return ipc.Status{}, err
	}
	defer client.Close()
	return client.Status(ctx)
}

func (c *call) notRunning(asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, map[string]any{"state": "not running"})
	}
	_, err := fmt.Fprintln(c.stdout, "no broker runs: the next go command starts one")
	return err
}

// runStop ends the broker of a store, so that the folder may be moved or removed.
func runStop(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	ctx, ep, stop, err := meet(*dir)
	if err != nil {
		return exitFailure, err
	}
	defer stop()
	outcome, err := lifecycle.Stop(ctx, ep, &lifecycle.StopOptions{Reason: "gobuild stop", Kill: kill})
	if err != nil {
		return exitFailure, err
	}
	_, err = fmt.Fprintln(c.stdout, outcome)
	return exitOK, err
}

// meet finds the endpoint of a store's broker.
func meet(dir string) (ctx context.Context, ep ipc.Endpoint, stop func(), err error) {
	root, err := rootOf(dir)
	if err == nil {
		ep, err = endpoint(root)
	}
	ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt)
	return ctx, ep, stop, err
}
