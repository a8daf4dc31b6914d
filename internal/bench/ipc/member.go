package ipc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/ipc"
)

// crowded is what came of it; times are in ms.
type crowded struct {
	Mean, P99, Most, Silence float64
	PerSecond                float64
}

func crowd(ctx context.Context, p crowding) (any, error) {
	ep, err := ipc.NewEndpointIn(p.Dir, "bench")
	if err != nil {
		return nil, err
	}
	f, err := ep.Dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := setBuffers(f, p.Buffer); err != nil {
		f.Close()
		return nil, err
	}
	c, err := ipc.NewClient(f, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return nil, child.Answer(ctx, func(context.Context, struct{}) (crowded, error) {
		return p.call(c)
	})
}

// call lets all callers call until the time is over.
func (p crowding) call(c *ipc.Client) (crowded, error) {
	// The first call learns how many the server takes.
	if _, err := c.CallAppend(nil, opSmall, nil, 30*time.Second); err != nil {
		return crowded{}, err
	}
	members, errs := make([]member, p.Callers), make([]error, p.Callers)
	start := time.Now()
	var last atomic.Int64 // when any call ended, since start
	var callers sync.WaitGroup
	for i := range members {
		callers.Go(func() { errs[i] = members[i].call(c, p, start, &last) })
	}
	callers.Wait()
	return summary(members, time.Since(start)), errors.Join(errs...)
}

// member is one caller and what it has seen.
type member struct {
	calls   int
	total   time.Duration
	most    time.Duration
	silence time.Duration // longest that no call of anybody had ended when one of this caller's did
	times   []time.Duration
}

// keepEvery is how many calls there are for each whose time is kept.
const keepEvery = 8

func (m *member) call(c *ipc.Client, p crowding, start time.Time, last *atomic.Int64) error {
	message, answer := newMessage(p.Size), make([]byte, 0, p.Size)
	echo := func(b []byte) ([]byte, error) { return c.CallAppend(answer, opSmall, b, 30*time.Second) }
	for begin := time.Since(start); begin < p.For; {
		if err := message.echo(echo); err != nil {
			return err
		}
		end := time.Since(start)
		m.silence = max(m.silence, end-time.Duration(last.Swap(int64(end))))
		m.add(end - begin)
		begin = end
	}
	return nil
}

func (m *member) add(took time.Duration) {
	if m.calls%keepEvery == 0 {
		m.times = append(m.times, took)
	}
	m.calls++
	m.total += took
	m.most = max(m.most, took)
}

func summary(members []member, took time.Duration) crowded {
	var all member
	for _, m := range members {
		all.calls += m.calls
		all.total += m.total
		all.most = max(all.most, m.most)
		all.silence = max(all.silence, m.silence)
		all.times = append(all.times, m.times...)
	}
	if all.calls == 0 {
		return crowded{}
	}
	slices.Sort(all.times)
	return crowded{
		Mean: millis(all.total) / float64(all.calls), P99: millis(all.times[len(all.times)*99/100]),
		Most: millis(all.most), Silence: millis(all.silence),
		PerSecond: float64(all.calls) / took.Seconds(),
	}
}

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
