package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"github.com/larderbuild/larder/internal/bench/frame"
)

// herd starts many client processes of examples/daemon at once where no server runs.
type herd struct {
	clients, trials int
}

type herdNames struct{ started, spoken, took string }

func (h herd) names() herdNames {
	of := fmt.Sprintf(", %d cold client processes, %d trials", h.clients, h.trials)
	return herdNames{
		started: "most servers started" + of,
		spoken:  "most servers spoken to" + of,
		took:    "until all have their answer" + of,
	}
}

func herdCase(env *frame.Env) frame.Case { return herd{clients: 64, trials: 50}.of(env) }

func (h herd) of(env *frame.Env) frame.Case {
	names := h.names()
	return frame.Case{
		Specs: []frame.Spec{
			{Name: names.started, Unit: "servers", Target: frame.AtMost(1)},
			{Name: names.spoken, Unit: "servers", Target: frame.AtMost(1)},
			{Name: names.took, Unit: "ms"},
		},
		Run: func(ctx context.Context, r *frame.Recorder) error { return h.run(ctx, env, r) },
	}
}

func (h herd) run(ctx context.Context, env *frame.Env, r *frame.Recorder) error {
	built, remove, err := programs(ctx, env, daemonPkg)
	if err != nil {
		return err
	}
	defer remove()
	started, spoken, took := 0, 0, []float64(nil)
	for range h.trials {
		t, err := h.trial(ctx, built[0])
		if err != nil {
			return err
		}
		if t.started == 0 {
			return errors.New("bench: no client says that it started the server that all spoke to")
		}
		started, spoken = max(started, t.started), max(spoken, t.spoken)
		took = append(took, float64(t.took.Microseconds())/1e3)
	}
	names := h.names()
	return errors.Join(
		r.Record(names.started, []float64{float64(started)}, nil),
		r.Record(names.spoken, []float64{float64(spoken)}, nil),
		r.Record(names.took, took, nil))
}

type trial struct {
	started, spoken int
	took            time.Duration
}

func (h herd) trial(ctx context.Context, daemon string) (t trial, err error) {
	dir, remove, err := socketDir()
	if err != nil {
		return t, err
	}
	defer remove()
	defer func() { // whatever came of it, no server stays
		_, stopErr := output(exec.Command(daemon, "stop", "-dir", dir, "-timeout", "30s"))
		err = errors.Join(err, stopErr)
	}()
	answers, errs := make([]answerer, h.clients), make([]error, h.clients)
	var clients sync.WaitGroup
	start := time.Now()
	for i := range h.clients {
		clients.Go(func() { answers[i], errs[i] = coldCall(ctx, daemon, dir) })
	}
	clients.Wait()
	t.took = time.Since(start)
	instances := make(map[string]bool)
	for _, a := range answers {
		instances[a.Instance] = true
		if a.Started {
			t.started++
		}
	}
	t.spoken = len(instances)
	return t, errors.Join(errs...)
}

// answerer is what a client prints of the server that answered it.
type answerer struct {
	Instance string `json:"instance"`
	Started  bool   `json:"started"` // by this client
}

func coldCall(ctx context.Context, daemon, dir string) (a answerer, err error) {
	out, err := output(exec.CommandContext(ctx, daemon,
		"call", "-json", "-dir", dir, "-idle", "1m", "-timeout", "30s", "hello"))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(out, &a)
}
