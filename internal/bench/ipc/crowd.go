package ipc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
	"github.com/larderbuild/larder/internal/bench/machine"
	"github.com/larderbuild/larder/ipc"
)

const (
	jobHost  = "ipc-host"
	jobCrowd = "ipc-crowd"
)

// smallBuffer is asked for as a socket's buffer; the system gives its least, 4.6 KB on Linux.
const smallBuffer = 1

// crowding is very many callers on one connection, for a time.
type crowding struct {
	Dir     string
	Callers int
	Size    int // of a message
	Buffer  int // of each direction; 0 is the library's own choice
	For     time.Duration
}

type crowdNames struct{ p99, silence string }

func (p crowding) names() crowdNames {
	buffers := "default buffers"
	if p.Buffer > 0 {
		buffers = "smallest buffers"
	}
	of := fmt.Sprintf(" of %d callers, %s, %s, %v", p.Callers, bytesText(p.Size), buffers, p.For)
	return crowdNames{p99: "p99" + of, silence: "longest silence" + of}
}

func crowdCase(env *frame.Env) frame.Case {
	return crowdCaseOf(env, crowding{Callers: 2048, Size: 4 << 10, For: time.Minute})
}

func crowdCaseOf(_ *frame.Env, p crowding) frame.Case {
	small := p
	small.Buffer = smallBuffer
	both := []crowding{p, small}
	var specs []frame.Spec
	for _, p := range both {
		specs = append(specs,
			frame.Spec{Name: p.names().p99, Unit: "ms", Peer: "mean", Target: frame.RatioAtMost(4)},
			frame.Spec{Name: p.names().silence, Unit: "ms", Target: frame.AtMost(1000)})
	}
	return frame.Case{Specs: specs, Run: func(ctx context.Context, r *frame.Recorder) error {
		for _, p := range both {
			if !r.Wanted(p.names().p99) && !r.Wanted(p.names().silence) {
				continue
			}
			if err := p.run(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}}
}

func (p crowding) run(ctx context.Context, r *frame.Recorder) error {
	got, err := p.measure(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	names := p.names()
	if err != nil {
		return errors.Join(r.Fail(names.p99, err), r.Fail(names.silence, err))
	}
	r.Note(names.p99, "%.0f calls/s, slowest %.0f ms", got.PerSecond, got.Most)
	return errors.Join(
		r.Record(names.p99, []float64{got.P99}, []float64{got.Mean}),
		r.Record(names.silence, []float64{got.Silence}, nil))
}

func (p crowding) measure(ctx context.Context) (got crowded, err error) {
	dir, remove, err := socketDir()
	if err != nil {
		return got, err
	}
	defer remove()
	p.Dir = dir
	server, err := child.Start(ctx, jobHost, p, machine.OnOneCPU)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if _, err := child.Ask[struct{}](server, nil); err != nil { // it listens
		return got, err
	}
	client, err := child.Start(ctx, jobCrowd, p, machine.OnOneCPU)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return child.Ask[crowded](client, nil)
}

// hostCrowd serves one connection with room for all callers.
func hostCrowd(ctx context.Context, p crowding) (any, error) {
	ep, err := ipc.NewEndpointIn(p.Dir, "bench")
	if err != nil {
		return nil, err
	}
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	s := ipc.NewServer(&ipc.ServerOptions{Limits: ipc.Limits{CallsPerConnection: p.Callers}})
	defer s.Close()
	s.Handle(opSmall, func(_ context.Context, r *ipc.Request) (*ipc.Response, error) {
		return r.Reply(r.Payload), nil
	})
	go func() { // ends with the listener or the connection
		f, err := l.Accept()
		if err != nil {
			return
		}
		if err := setBuffers(f, p.Buffer); err != nil {
			f.Close() // and the client says that it was
			return
		}
		s.ServeConn(f)
	}()
	return nil, child.Answer(ctx, func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, nil
	})
}
