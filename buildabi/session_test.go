package buildabi_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
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
		if len(passes) != 1 || passes[0].at > 516*1e6 || passes[0].at < 400*1e6 {
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

// TestNoTickWithoutFuzzing shows that a session does nothing when nothing is to be looked at.
func TestNoTickWithoutFuzzing(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u)
		must(t, f.UpdateCoverage(coverage(1, 0)))
		time.Sleep(time.Second)
		c.take()
		b.StartBuild("a")
		c.take()
		time.Sleep(time.Hour)
		c.expect("")
	})
}

// TestDivisors shows that no V1 client is sent what it would divide by zero for.
func TestDivisors(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u) // in the nanosecond of the session's own look, and whole ms after Hello
		must(t, f.UpdateCoverage(coverage(1, 0)), f.SetEntryPoints(0))
		late := connect(t, b, buildabi.V1) // its Hello has the time of the start
		late.expect("hello fuzz_init [a=pending], index 3, entries [0]")
		time.Sleep(time.Second)
		late.expect("coverage 1/1/1")
		late.close()
		for _, p := range c.take() {
			for _, m := range p.msgs {
				if index, ok := m.(*buildabi.SourceIndex); ok && index.Start%1e6 != 999_999 {
					t.Errorf("the index starts at %d, whole milliseconds after Hello", index.Start)
				}
			}
		}
		must(t, f.UpdateCoverage(coverage(0, 0)))
		time.Sleep(time.Second)
		must(t, f.SetIndex(&buildabi.SourceIndex{}))
		must(t, f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 5, UniqueRuns: 1}))
		time.Sleep(time.Second)
		c.expect("index 0")
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
		{"unknown tag", []byte{1}, buildabi.ClosePolicy},
		{"too big", make([]byte, buildabi.MaxRequest+1), buildabi.CloseTooBig},
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
		c.in <- make([]byte, buildabi.MaxRequest)
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
			b := buildabi.NewBoard(nil)
			p := &pinged{pings: make(chan time.Duration, 1000), answer: answer}
			ctx, end := context.WithCancelCause(t.Context())
			p.client = &client{t: t, started: time.Now(), ended: make(chan error, 1)}
			go func() { p.ended <- b.Serve(ctx, p) }()
			time.Sleep(time.Hour)
			synctest.Wait()
			if answer {
				if len(p.ended) > 0 || len(p.pings) != 180 {
					t.Errorf("%d pings in an hour, ended: %d", len(p.pings), len(p.ended))
				}
				end(errLeft)
				<-p.ended
				return
			}
			if err := <-p.ended; err == nil || len(p.pings) != 1 || <-p.pings != 20*time.Second {
				t.Errorf("ended with %v after %d pings", err, len(p.pings))
			}
			end(nil)
		})
	}
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
