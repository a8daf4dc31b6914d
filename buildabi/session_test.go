package buildabi_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// TestPace shows that the first change after quiet is sent at once and others 16 ms apart, and
// that each pass has all that is new.
func TestPace(t *testing.T) {
	session(t, buildabi.V1, "a b c", func(t *testing.T, b board, u build, c *client) {
		c.started = time.Now()
		for i := range 40 { // a change every millisecond
			must(t, u.SetStep(i%3, buildabi.StepStatus(1+i/3%2)))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		want := []time.Duration{0, 16e6, 32e6, 48e6}
		if got := times(c.take()); !slices.Equal(got, want) {
			t.Errorf("passes at %v, want %v", got, want)
		}
	})
}

// TestPaceOfMany shows that with many clients passes are farther apart while there are changes all
// the time, and that the first change after quiet is sent at once still.
func TestPaceOfMany(t *testing.T) {
	steps := strings.Repeat("a ", 200)
	session(t, buildabi.V1, steps, func(t *testing.T, b board, u build, c *client) {
		others := make([]*client, 99)
		for i := range others {
			others[i] = connect(t, b, buildabi.V1)
		}
		quiet()
		c.started = time.Now()
		for i := range 140 {
			must(t, u.SetStep(i, buildabi.Running))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		must(t, u.SetStep(0, buildabi.Failure))
		want := []time.Duration{0, 60e6, 120e6, 180e6, 1140e6}
		if got := times(c.take()); !slices.Equal(got, want) {
			t.Errorf("passes at %v, want %v", got, want)
		}
		for _, other := range others {
			other.close()
		}
		time.Sleep(time.Second)
		c.started = time.Now()
		for i := range 20 {
			must(t, u.SetStep(i, buildabi.Success))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		want = []time.Duration{0, 16e6, 32e6}
		if got := times(c.take()); !slices.Equal(got, want) {
			t.Errorf("once the others have left passes at %v, want %v", got, want)
		}
	})
}

// TestSkipsStates shows that a client is told of states, not of transitions.
func TestSkipsStates(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, c *client) {
		must(t, u.SetStep(0, buildabi.Running))
		c.expect("0=wip")
		must(t, u.SetStep(0, buildabi.Success), u.SetStep(1, buildabi.Running),
			u.SetStep(1, buildabi.Pending), u.SetStep(0, buildabi.Failure))
		quiet()
		c.expect("0=failure")
	})
}

// TestCoverageDoesNotWake shows when coverage is sent: with the next pass, or at the tick.
func TestCoverageDoesNotWake(t *testing.T) {
	session(t, buildabi.V3, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u)
		quiet()
		c.take()
		must(t, f.UpdateCoverage(coverage(1, 0)))
		quiet()
		c.expect("")
		must(t, u.SetStep(0, buildabi.Running))
		c.expect("0=wip, coverage 1/1/1")
		c.started = time.Now()
		must(t, f.UpdateCoverage(coverage(2, 0)))
		time.Sleep(2 * time.Second)
		passes := c.take()
		if len(passes) != 1 || passes[0].at != 516*1e6 { // a tick after the pause
			t.Errorf("passes at %v", times(passes))
		}
	})
}

// TestCoverageDifference shows what counts as one: V1 clients are not told of runs alone.
func TestCoverageDifference(t *testing.T) {
	for v, want := range map[buildabi.Version]string{
		buildabi.V1: "coverage 1/1/1 | coverage 3/2/1 | coverage 4/2/2",
		buildabi.V3: "coverage 1/1/1 | coverage 2/1/1 | coverage 3/2/1 | coverage 4/2/2",
	} {
		session(t, v, "a", func(t *testing.T, b board, u build, c *client) {
			f := startFuzz(t, u)
			quiet()
			c.take()
			two := coverage(4, 1)
			two.UniqueRuns = 2
			two.Covered.Set(0)
			unique := coverage(3, 0)
			unique.UniqueRuns = 2
			for _, update := range []*buildabi.CoverageUpdate{
				coverage(1, 0), coverage(1, 0), coverage(2, 0), unique, two, two,
			} {
				must(t, f.UpdateCoverage(update))
				time.Sleep(time.Second)
			}
			c.expect(want)
		})
	}
}

// TestEntryPointsAgain shows that entry points are sent when they are others.
func TestEntryPointsAgain(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u)
		quiet()
		c.take()
		for _, points := range [][]uint32{{0}, {0}, {0, 1}, {1, 0}, nil} {
			must(t, f.SetEntryPoints(points...))
			quiet()
		}
		c.expect("entries [0] | entries [0 1] | entries [1 0] | entries []")
	})
}

// TestDivisors shows that no V1 client is sent coverage with one of the numbers at zero that it
// would divide by, and that others are.
func TestDivisors(t *testing.T) {
	for v, want := range map[buildabi.Version][2]string{
		buildabi.V1: {"coverage 1/1/1", ""},
		buildabi.V3: {"coverage 0/1/1 | coverage 1/1/1", " | coverage 5/1/0"},
	} {
		session(t, v, "a", func(t *testing.T, b board, u build, c *client) {
			f := startFuzz(t, u)
			quiet()
			c.take()
			must(t, f.UpdateCoverage(coverage(0, 0)))
			time.Sleep(time.Second)
			must(t, f.UpdateCoverage(coverage(1, 0)))
			time.Sleep(time.Second)
			c.expect(want[0])
			must(t, f.SetIndex(&buildabi.SourceIndex{}))
			synctest.Wait() // the coverage comes in a pass of its own
			must(t, f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 5, UniqueRuns: 1}))
			time.Sleep(time.Second)
			c.expect("index 0" + want[1])
		})
	}
}

// TestNoTimePassed shows the same for the time since the start: a client counts it in
// milliseconds of its own.
func TestNoTimePassed(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u) // in the nanosecond of the session's own look, and whole ms after Hello
		must(t, f.UpdateCoverage(coverage(1, 0)), f.SetEntryPoints(0))
		start := func(c *client) int64 { return find[*buildabi.SourceIndex](t, c.take()).Start % 1e6 }
		late := connect(t, b, buildabi.V1) // its Hello has the time of the start
		late.expect("hello fuzz_init [a=pending], index 3, entries [0]")
		time.Sleep(500 * time.Microsecond)
		later := connect(t, b, buildabi.V1)
		if at := start(later); at != 0 {
			t.Errorf("half a ms after Hello the index starts at %d ns", at)
		}
		time.Sleep(time.Second)
		late.expect("coverage 1/1/1")
		if at := start(c); at != 999_999 {
			t.Errorf("whole ms after Hello the index starts at %d ns", at)
		}
		late.close()
		later.close()
	})
}

// TestSlowClient shows that a client that takes nothing is dropped after 5 s, and that neither the
// board nor another client notices it.
func TestSlowClient(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		slow := connect(t, b, buildabi.V1)
		slow.stall = true
		slow.take()
		quiet()
		start := time.Now()
		for range 400 {
			must(t, u.SetStep(0, buildabi.Running), u.SetStep(0, buildabi.Success))
			synctest.Wait()
			must(t, u.SetStep(0, buildabi.Running))
			time.Sleep(16 * time.Millisecond)
			if len(slow.ended) == 1 {
				break
			}
		}
		err := <-slow.ended
		if d := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || d < 5e9 || d > 5.1e9 {
			t.Errorf("dropped after %v: %v", d, err)
		}
		if len(c.take()) < 300 {
			t.Error("the other client was not told of all")
		}
		slow.end(nil)
	})
}

// TestCloseCodes shows what ends a session, and with which code.
func TestCloseCodes(t *testing.T) {
	for _, c := range []struct {
		name string
		says []byte
		code int
	}{
		{"unknown tag", []byte{1}, 1008},
		{"too big", make([]byte, 4097), 1009},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := connect(t, buildabi.NewBoard(nil), buildabi.V1)
				client.in <- c.says
				err := <-client.ended
				closed, ok := errors.AsType[*buildabi.CloseError](err)
				if !ok || closed.Code != c.code || closed.Error() == "" {
					t.Errorf("ended with %v, want code %d", err, c.code)
				}
				client.end(nil)
			})
		})
	}
}

// TestGoodRequests shows what does not end a session.
func TestGoodRequests(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, _ build, c *client) {
		c.in <- nil
		synctest.Wait()
		if b.Poll() {
			t.Error("an empty message is a click")
		}
		c.in <- make([]byte, 4096)
		synctest.Wait()
		if !b.Poll() {
			t.Error("a long click is none")
		}
	})
}

// pinged is a client that can be pinged.
type pinged struct {
	*client
	pings  chan time.Duration
	answer bool
}

func (p *pinged) Ping(ctx context.Context) error {
	p.pings <- time.Since(p.started)
	if p.answer {
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// TestPing shows that a client that only listens stays, and that one that is gone does not.
func TestPing(t *testing.T) {
	for _, answer := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := &pinged{pings: make(chan time.Duration, 1000), answer: answer}
			ctx, end := context.WithCancelCause(t.Context())
			p.client = &client{t: t, started: time.Now(), ended: make(chan error, 1)}
			go func() { p.ended <- buildabi.NewBoard(nil).Serve(ctx, p) }()
			if answer {
				time.Sleep(time.Hour)
				synctest.Wait()
				if len(p.ended) > 0 || len(p.pings) != 180 {
					t.Errorf("%d pings in an hour, ended: %d", len(p.pings), len(p.ended))
				}
				end(errLeft)
			}
			err := <-p.ended
			if first := <-p.pings; first != 20*time.Second {
				t.Errorf("the first ping comes after %v", first)
			}
			if d := time.Since(p.started); !answer && (err == nil || d != 30*time.Second) {
				t.Errorf("without an answer ended after %v: %v", d, err)
			}
			end(nil)
		})
	}
}

// sluggish is a client that takes so many bytes a second and answers pings when it has taken what came before.
type sluggish struct {
	sink
	rate  int
	turn  chan struct{}
	pings []time.Duration
	start time.Time
}

func (c *sluggish) Write(ctx context.Context, msgs [][]byte) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	n := 0
	for _, m := range msgs {
		n += len(m)
	}
	select {
	case <-time.After(time.Duration(n) * time.Second / time.Duration(c.rate)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *sluggish) Ping(ctx context.Context) error {
	c.pings = append(c.pings, time.Since(c.start))
	time.Sleep(time.Millisecond) // a pass may begin just now
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-c.turn
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TestLargePass shows how long a client has for all that is new, and that it is not pinged meanwhile.
func TestLargePass(t *testing.T) {
	for name, c := range map[string]struct {
		rate  int           // bytes a second, of 8 MiB
		begin time.Duration // when they are sent
		want  time.Duration // when the client is dropped; 0 is never
		pings []time.Duration
	}{
		"steady":                 {640_000, 0, 0, []time.Duration{20e9, 40e9, 60e9}},
		"slow":                   {160_000, 0, 0, []time.Duration{60e9}},
		"too slow":               {10_000, 0, 645 * time.Second, nil},
		"before the ping":        {200_000, 20*time.Second + time.Microsecond, 0, []time.Duration{20e9}},
		"just before the answer": {883_000, 20*time.Second + time.Microsecond, 0, []time.Duration{20e9, 40e9, 60e9}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := buildabi.NewBoard(nil)
				client := &sluggish{rate: c.rate, turn: make(chan struct{}, 1), start: time.Now()}
				ctx, end := context.WithCancelCause(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- b.Serve(ctx, client) }()
				time.Sleep(c.begin)
				b.StartBuild(strings.Repeat("x", 8<<20))
				time.Sleep(70*time.Second - c.begin)
				if c.want == 0 {
					end(errLeft)
				}
				err := <-ended
				if d := time.Since(client.start); c.want > 0 && d != c.want || c.want == 0 && !errors.Is(err, errLeft) {
					t.Errorf("ended after %v: %v", d, err)
				}
				if !slices.Equal(client.pings, c.pings) {
					t.Errorf("pings at %v, want %v", client.pings, c.pings)
				}
				end(nil)
			})
		})
	}
}

// TestManyMessages shows that a client has the same time for a pass of many messages.
func TestManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(&buildabi.BoardOptions{TimeReport: true})
		u := b.StartBuild(make([]string, 200)...)
		for i := range 200 {
			must(t, u.ReportCompile(i, &buildabi.CompileResult{PassTimings: strings.Repeat("x", 60_000)}))
		}
		client := &sluggish{rate: 120_000, turn: make(chan struct{}, 1), start: time.Now()}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 130*time.Second, errLeft)
		defer cancel()
		err := b.Serve(ctx, client)
		want := []time.Duration{120e9}
		if !errors.Is(err, errLeft) || !slices.Equal(client.pings, want) {
			t.Errorf("ended with %v, pings at %v, want %v", err, client.pings, want)
		}
	})
}

// lingering is a connection whose calls take a while to end.
type lingering struct {
	sink
	calls atomic.Int32
}

func (c *lingering) Read(ctx context.Context) ([]byte, error) {
	return nil, c.Ping(ctx)
}

func (c *lingering) Ping(ctx context.Context) error {
	defer c.calls.Add(-1)
	c.calls.Add(1)
	<-ctx.Done()
	time.Sleep(time.Minute)
	return context.Cause(ctx)
}

// TestServeWaits shows that a connection is not used any more once Serve has returned.
func TestServeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 21*time.Second) // during the first ping
		defer cancel()
		var c lingering
		err := buildabi.NewBoard(nil).Serve(ctx, &c)
		if n := c.calls.Load(); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d calls go on after %v", n, err)
		}
	})
}

// broken is a connection that fails.
type broken struct {
	buildabi.Conn
	read, write error
}

func (c *broken) Read(ctx context.Context) ([]byte, error) {
	if c.read == nil {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return nil, c.read
}

func (c *broken) Write(context.Context, [][]byte) error { return c.write }

// TestServeSaysWhy shows that an error of the connection ends the session with that error.
func TestServeSaysWhy(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a")
	if err := b.Serve(t.Context(), &broken{read: io.EOF}); !errors.Is(err, io.EOF) {
		t.Errorf("after a failed read: %v", err)
	}
	err := b.Serve(t.Context(), &broken{write: io.ErrClosedPipe})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after a failed write: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errLeft)
	if err := b.Serve(ctx, &broken{}); !errors.Is(err, errLeft) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// sink is a client that takes everything and says nothing.
type sink struct{}

func (sink) Read(ctx context.Context) ([]byte, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (sink) Write(context.Context, [][]byte) error { return nil }
