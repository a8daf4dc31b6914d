package ipc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/machine"
	"github.com/larderbuild/larder/ipc"
)

// phaseNames are the phases in the order in which a call passes them.
var phaseNames = []ipc.Phase{
	ipc.PhaseConnect, ipc.PhaseQueue, ipc.PhaseWrite, ipc.PhaseWait, ipc.PhaseRead,
}

func deadlineCase(env *frame.Env) frame.Case {
	return deadlineCaseOf(env, frame.Pick(env, 200, 40))
}

func deadlineCaseOf(env *frame.Env, calls int) frame.Case {
	row := func(p ipc.Phase) string {
		return fmt.Sprintf("deadline overshoot in phase %s, p99 of %d calls", p, calls)
	}
	var specs []frame.Spec
	for _, p := range phaseNames {
		specs = append(specs, frame.Spec{Name: row(p), Unit: "ms", Target: frame.AtMost(5)})
	}
	return frame.Case{Specs: specs, Run: func(ctx context.Context, r *frame.Recorder) error {
		return runDeadlines(ctx, r, calls, row)
	}}
}

func runDeadlines(
	ctx context.Context, r *frame.Recorder, calls int, row func(ipc.Phase) string,
) (err error) {
	dir, remove, err := socketDir()
	if err != nil {
		return err
	}
	defer remove()
	server, err := child.Start(ctx, jobStall, stalling{Dir: dir}, machine.OnOneCPU)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if _, err := child.Ask[struct{}](server, nil); err != nil { // it listens
		return err
	}
	client, err := child.Start(ctx, jobDeadline, stalling{Dir: dir}, machine.OnOneCPU)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	for _, p := range phaseNames {
		if !r.Wanted(row(p)) {
			continue
		}
		if err := recordOverdue(r, row(p), client, overdue{Phase: p, Calls: calls}); err != nil {
			return err
		}
	}
	return nil
}

func recordOverdue(r *frame.Recorder, row string, client *child.Worker, q overdue) error {
	over, err := child.Ask[[]float64](client, q)
	if err != nil {
		return r.Fail(row, err)
	}
	slices.Sort(over)
	r.Note(row, "median %.2f, most %.2f", over[q.Calls/2], over[q.Calls-1])
	return r.Record(row, []float64{over[(q.Calls*99+99)/100-1]}, nil)
}
