package ipc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/machine"
	"github.com/larderbuild/larder/internal/bench/meter"
)

// station is a server process and a client process for one task, with what their rounds took.
type station struct {
	contender
	server, client *child.Worker
	idle           uint64 // allocations of a server that is asked what it has used
	ops            int    // a round
	batch          int
	remove         func()
	samples        []sample
	failed         error // its turns are over
}

// sample is one round. What is said of one call is about one message.
type sample struct {
	calls        float64
	wall, cpu    time.Duration
	clientAllocs float64
	serverAllocs float64
}

// openStation starts the processes and does a first round, which also tells how many operations fit
// into period. A failure is the station's own, for its rows.
func openStation(ctx context.Context, c contender, m match, period time.Duration) *station {
	s := &station{contender: c}
	var warm spent
	if s.failed = s.start(ctx, m); s.failed == nil {
		warm, s.failed = child.Ask[spent](s.client, amount{For: period})
	}
	if s.failed != nil {
		s.failed = fmt.Errorf("%s: %w", s.name, s.failed)
	}
	s.ops = warm.Ops
	return s
}

func (s *station) start(ctx context.Context, m match) error {
	t, err := taskNamed(s.task)
	if err != nil {
		return err
	}
	s.batch = max(t.batch, 1)
	var dir string
	if dir, s.remove, err = socketDir(); err != nil {
		return err
	}
	on := machine.OnOneCPU
	if m.free {
		on = nil
	}
	p := calling{Task: s.task, Dir: dir, Size: m.size, Callers: max(s.callers, 1)}
	if s.server, err = child.Start(ctx, jobServe, p, on); err != nil {
		return err
	}
	first, err := child.Ask[meter.Self](s.server, nil) // it listens
	if err != nil {
		return err
	}
	second, err := child.Ask[meter.Self](s.server, nil)
	s.idle = second.Minus(first).Allocs
	if err == nil {
		s.client, err = child.Start(ctx, jobCall, p, on)
	}
	return err
}

// turn does one round. The station's own failure is kept for its rows; only the end of the context
// ends the case.
func (s *station) turn(ctx context.Context) (float64, error) {
	if s.failed == nil {
		if err := s.round(); err != nil {
			s.failed = fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return 0, nil
}

var _ frame.Side = (*station)(nil).turn

func (s *station) round() error {
	before, err := child.Ask[meter.Self](s.server, nil)
	if err != nil {
		return err
	}
	client, err := child.Ask[spent](s.client, amount{Ops: s.ops})
	if err != nil {
		return err
	}
	after, err := child.Ask[meter.Self](s.server, nil)
	if err != nil {
		return err
	}
	server := after.Minus(before)
	calls := float64(client.Ops * s.batch)
	s.samples = append(s.samples, sample{
		calls: calls, wall: client.Wall, cpu: client.Self.CPU + server.CPU,
		clientAllocs: tenths(float64(client.Self.Allocs) / calls),
		serverAllocs: tenths(float64(server.Allocs-min(s.idle, server.Allocs)) / calls),
	})
	return nil
}

// tenths rounds, because the runtime itself and the round allocate a little, whatever the calls do.
func tenths(v float64) float64 { return math.Round(v*10) / 10 }

func (s *station) close() error {
	var errs []error
	for _, w := range []*child.Worker{s.client, s.server} {
		if w != nil {
			errs = append(errs, w.Close())
		}
	}
	if s.remove != nil {
		s.remove()
	}
	return errors.Join(errs...)
}

// socketDir makes a folder with a short path, whatever folder the run was given: the system limits
// the path of a socket.
func socketDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "lb-")
	if err != nil {
		return "", nil, fmt.Errorf("bench: temporary folder: %w", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}
