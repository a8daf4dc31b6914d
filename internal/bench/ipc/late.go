package ipc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/ipc"
)

const jobDeadline = "ipc-deadline"

// deadlineOf is the deadline of the calls.
const deadlineOf = 20 * time.Millisecond

// overdue asks for calls that end in a phase.
type overdue struct {
	Phase ipc.Phase
	Calls int
}

// A call may end in a phase before the one that is wanted when the machine is so busy that the
// deadline comes first. Such a call is made again, but not for ever.
var errOtherPhase = errors.New("bench: the call ended in another phase")

// patience is how many calls may be made for each that is wanted.
const patience = 10

// deadlines answers by how many ms each call was late.
func deadlines(ctx context.Context, p stalling) (any, error) {
	return nil, child.Answer(ctx, func(ctx context.Context, q overdue) (over []float64, err error) {
		ctx, end := context.WithCancel(ctx)
		defer end()
		call, err := p.lateIn(ctx, q.Phase)
		if err != nil {
			return nil, err
		}
		for attempt := 0; len(over) < q.Calls; attempt++ {
			d, err := call()
			if errors.Is(err, errOtherPhase) && attempt < patience*q.Calls {
				continue
			}
			if err != nil {
				return nil, err
			}
			over = append(over, float64(d.Microseconds())/1e3)
		}
		return over, nil
	})
}

// late makes one call and says by how much it was.
type late func() (time.Duration, error)

// lateIn returns a function that makes one call which ends in the phase, and says how long after
// its deadline. What it needs ends with ctx.
func (p stalling) lateIn(ctx context.Context, phase ipc.Phase) (late, error) {
	scope, op, size := scopeSilent, uint16(opSmall), 1
	switch phase {
	case ipc.PhaseConnect:
		scope = scopeFull
	case ipc.PhaseQueue:
		scope = scopeBusy
	case ipc.PhaseWrite:
		size = largeRequest
	case ipc.PhaseRead:
		scope, op = scopeHalf, opInBand
	}
	ep, err := p.endpoint(scope)
	if err != nil {
		return nil, err
	}
	message := make([]byte, size)
	switch phase {
	case ipc.PhaseConnect:
		return func() (time.Duration, error) { return lateDial(ctx, ep) }, nil
	case ipc.PhaseQueue:
		c, err := occupied(ctx, ep)
		return func() (time.Duration, error) { return lateCall(c, op, message, phase) }, err
	}
	return func() (time.Duration, error) {
		c, err := ipc.Dial(ctx, ep, nil) // anew: the connection before has half a frame in it
		if err != nil {
			return 0, err
		}
		defer c.Close()
		return lateCall(c, op, message, phase)
	}, nil
}

func lateDial(ctx context.Context, ep ipc.Endpoint) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, deadlineOf)
	defer cancel()
	c, err := ipc.Dial(ctx, ep, nil)
	over := time.Since(start) - deadlineOf
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return 0, fmt.Errorf("bench: connect to a server without room: error %v", err)
	}
	return over, nil
}

func lateCall(c *ipc.Client, op uint16, message []byte, phase ipc.Phase) (time.Duration, error) {
	start := time.Now()
	_, err := c.CallAppend(nil, op, message, deadlineOf)
	over := time.Since(start) - deadlineOf
	failed, ok := errors.AsType[*ipc.CallError](err)
	switch {
	case !ok || !errors.Is(err, ipc.ErrTimeout):
		return 0, fmt.Errorf("bench: call that should end in phase %s: error %v", phase, err)
	case failed.Phase != phase:
		return 0, fmt.Errorf("%w: %s, not %s", errOtherPhase, failed.Phase, phase)
	}
	return over, nil
}

// occupied returns a client whose slots are all taken, with calls waiting for them that do not end
// before ctx.
func occupied(ctx context.Context, ep ipc.Endpoint) (*ipc.Client, error) {
	c, err := ipc.Dial(ctx, ep, nil)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.Close() })
	for range 512 {
		go func() {
			var err error
			for !errors.Is(err, ipc.ErrClosed) { // a server may refuse some
				_, err = c.CallAppend(nil, opSmall, []byte{1}, 10*time.Minute)
			}
		}()
	}
	for range 100 { // until the last slot is taken
		if _, err := lateCall(c, opSmall, []byte{1}, ipc.PhaseQueue); err == nil {
			return c, nil
		}
	}
	return nil, errors.New("bench: the slots of a client are never all taken")
}
