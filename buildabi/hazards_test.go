package buildabi_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// The tests of this file are named after the hazards that the reference server has. Each
// shows what a user of it would have seen.

// watcher is a client, outside a bubble, that hands each pass to a function.
type watcher struct {
	see func(msgs [][]byte)
}

func (w watcher) Read(ctx context.Context) ([]byte, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

func (w watcher) Write(_ context.Context, msgs [][]byte) error {
	w.see(msgs)
	return nil
}

// watch lets n clients see all messages while a function runs, and until enough is true.
func watch(t *testing.T, b board, n int, see func(m buildabi.Message), work func(),
	enough func() bool) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	var sessions sync.WaitGroup
	news := make(chan struct{}, 1)
	for range n {
		r := buildabi.NewReader(buildabi.V1)
		sessions.Go(func() {
			b.Serve(ctx, watcher{func(msgs [][]byte) {
				for _, raw := range msgs {
					m, findings, err := r.Next(raw)
					if err != nil || len(findings) > 0 {
						t.Errorf("sent %x: %v, findings %q", raw, err, findings)
						return
					}
					see(m)
				}
				select {
				case news <- struct{}{}:
				default:
				}
			}})
		})
	}
	work()
	for !enough() {
		select {
		case <-news:
		case <-time.After(10 * time.Second):
			t.Error("too little was sent")
			end()
		}
		if ctx.Err() != nil {
			break
		}
	}
	end()
	sessions.Wait()
}

// comers lets clients come one after another while the host works without a pause, and hands the
// first pass of each to a function.
func comers(t *testing.T, b board, work func(), see func(msgs [][]byte)) {
	t.Helper()
	var over atomic.Bool
	var host sync.WaitGroup
	host.Go(func() {
		for !over.Load() {
			work()
		}
	})
	for range 300 {
		ctx, end := context.WithCancel(t.Context())
		b.Serve(ctx, watcher{func(msgs [][]byte) {
			see(msgs)
			end()
		}})
	}
	over.Store(true)
	host.Wait()
}

// TestH1 replaces a report all the time, by longer and shorter ones that can be told to be whole,
// and shows that they are when they arrive.
func TestH1(t *testing.T) {
	b := buildabi.NewBoard(&buildabi.BoardOptions{TimeReport: true})
	u := b.StartBuild("a", "b")
	var seen atomic.Int64
	see := func(m buildabi.Message) {
		r, ok := m.(*buildabi.CompileResult)
		if !ok {
			return
		}
		seen.Add(1)
		if n := len(r.Files); n != int(r.Total) || n != strings.Count(r.PassTimings, "x") {
			t.Errorf("a report with %d files says %d, %q", n, r.Total, r.PassTimings)
		}
	}
	work := func() {
		for i := range 3000 {
			n := 1 + i*7%50
			must(t, u.ReportCompile(0, &buildabi.CompileResult{Total: uint64(n),
				Files: make([]string, n), PassTimings: strings.Repeat("x", n)}))
		}
	}
	watch(t, b, 4, see, work, func() bool { return seen.Load() >= 4 })
}

// TestH2 lets clients come while a report is replaced: each is sent one, and nothing empty.
func TestH2(t *testing.T) {
	b := buildabi.NewBoard(&buildabi.BoardOptions{TimeReport: true})
	u := b.StartBuild("a")
	report := func() { must(t, u.ReportTime(0, time.Second)) }
	report()
	comers(t, b, report, func(msgs [][]byte) {
		if len(msgs) != 2 || len(msgs[0]) == 0 || len(msgs[1]) != 13 {
			t.Errorf("sent %x", msgs)
		}
	})
}

// TestH3 starts builds while another goroutine fuzzes, as after a click on Rebuild.
func TestH3(t *testing.T) {
	b := buildabi.NewBoard(nil)
	f := startFuzz(t, b.StartBuild("a"))
	var fuzzers sync.WaitGroup
	var seen atomic.Int64
	work := func() {
		for range 100 {
			fuzzers.Go(func() {
				for {
					err := errors.Join(f.UpdateCoverage(coverage(1, 1)), f.SetEntryPoints(1))
					if errors.Is(err, buildabi.ErrSuperseded) {
						return
					}
					must(t, err)
				}
			})
			next := b.StartBuild("a")
			fuzzers.Wait()
			f = startFuzz(t, next)
		}
	}
	see := func(buildabi.Message) { seen.Add(1) }
	watch(t, b, 2, see, work, func() bool { return seen.Load() > 0 })
}

// TestH4 shows the order at the start of each of two fuzz sessions, for one client.
func TestH4(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		for range 2 {
			f, err := u.StartFuzz()
			must(t, err)
			c.take()
			must(t, f.SetIndex(smallIndex(buildabi.V1)))
			must(t, f.UpdateCoverage(coverage(1, 0)), f.SetEntryPoints(1))
			quiet()
			c.expect("index 3, coverage 1/1/1, entries [1]")
			u = b.StartBuild("a")
			quiet()
			c.take()
		}
	})
}

// TestH5 shows that a report of the new build comes after the news of that build.
func TestH5(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		must(t, u.ReportTime(0, time.Minute), u.Finish(buildabi.Idle))
		quiet()
		c.take() // so that all that follows is one pass
		must(t, b.StartBuild("a").ReportTime(0, time.Second))
		quiet()
		c.expect("running, time 0 1s")
	})
}

// TestH6 reports twice in the same nanosecond, before and after a pass.
func TestH6(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, c *client) {
		must(t, u.ReportTime(0, 1))
		c.expect("time 0 1ns")
		must(t, u.ReportTime(0, 2), u.ReportTime(1, 3))
		quiet()
		c.expect("time 0 2ns, time 1 3ns")
	})
}

// stuck is a client that takes nothing until it is let go.
type stuck struct {
	watcher
	stalled, letGo chan struct{}
}

func (c *stuck) Write(context.Context, [][]byte) error {
	close(c.stalled)
	<-c.letGo
	return io.ErrClosedPipe
}

// TestH7 shows that one stalled client does not hold up the host, not even its fuzzing.
func TestH7(t *testing.T) {
	b := buildabi.NewBoard(nil)
	u := b.StartBuild("a")
	f := startFuzz(t, u)
	client := &stuck{stalled: make(chan struct{}), letGo: make(chan struct{})}
	var session sync.WaitGroup
	session.Go(func() { b.Serve(t.Context(), client) })
	<-client.stalled
	host := make(chan error, 1)
	go func() { // ends once the client is let go at the latest
		var errs []error
		for range 1000 {
			errs = append(errs, f.UpdateCoverage(coverage(1, 1)), f.SetEntryPoints(0),
				u.SetStep(0, buildabi.Running))
		}
		host <- errors.Join(errs...)
	}()
	select {
	case err := <-host:
		must(t, err)
	case <-time.After(10 * time.Second):
		t.Error("the host waits for a client")
	}
	close(client.letGo)
	session.Wait()
}

// TestH8 changes the bits after the call, as a fuzzed process does with its own.
func TestH8(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u)
		shared := coverage(1, 0)
		shared.Covered[7] = 0xff // of no location
		must(t, f.UpdateCoverage(shared))
		shared.Covered.Set(1)
		time.Sleep(time.Second)
		if got := c.said(); !strings.HasSuffix(got, "coverage 1/1/1") {
			t.Errorf("told %q", got)
		}
	})
}

// TestH9 shows that all of 100 clients are told at once.
func TestH9(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, u build, c *client) {
		clients := make([]*client, 100)
		for i := range clients {
			clients[i] = connect(t, b, buildabi.V1)
			clients[i].take()
		}
		quiet()
		must(t, u.SetStep(0, buildabi.Running))
		for i, c := range clients {
			if got := c.said(); got != "0=wip" {
				t.Errorf("client %d was told %q", i, got)
			}
			c.close()
		}
	})
}

// TestH10 clicks a hundred times: one request, and what comes after them is read at once.
func TestH10(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, _ build, _ *client) {
		c := connect(t, b, buildabi.V1)
		for range 100 {
			c.in <- []byte{0}
		}
		c.in <- []byte{1}
		if _, ok := errors.AsType[*buildabi.CloseError](<-c.ended); !ok {
			t.Error("the last message was not read")
		}
		if !b.Poll() || b.Poll() {
			t.Error("a hundred clicks are not one request")
		}
		c.end(nil)
	})
}

// TestH11 shows that a session whose input ends is over, and does not only look alive.
func TestH11(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a")
	for name, err := range map[string]error{
		"closed":           io.EOF,
		"text":             &buildabi.CloseError{Code: buildabi.CloseUnsupported},
		"broken by itself": errors.New("unmasked frame"),
	} {
		if got := b.Serve(t.Context(), &broken{read: err}); !errors.Is(got, err) {
			t.Errorf("%s: ended with %v", name, got)
		}
	}
}

// TestH12 shows that a session whose output fails ends although nothing more is read.
func TestH12(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a")
	err := b.Serve(t.Context(), &broken{write: io.ErrClosedPipe})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("ended with %v", err)
	}
}

// TestH18 makes a thousand updates of ten thousand steps: few passes, whatever their number.
func TestH18(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, _ build, _ *client) {
		u := b.StartBuild(make([]string, 10_000)...)
		clients := make([]*client, 20)
		for i := range clients {
			clients[i] = connect(t, b, buildabi.V1)
			clients[i].take()
		}
		for i := range 1000 {
			must(t, u.SetStep(i*9, buildabi.Running))
			time.Sleep(time.Millisecond)
		}
		quiet()
		for _, c := range clients {
			passes, updates := c.take(), 0
			for _, p := range passes {
				updates += len(p.msgs)
			}
			if updates != 1000 || len(passes) > 1000/16+2 {
				t.Errorf("%d updates in %d passes", updates, len(passes))
			}
			c.close()
		}
	})
}

// TestH19 connects in the middle of a second build: no report of the first is shown.
func TestH19(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, _ *client) {
		must(t, u.ReportTime(0, 1), u.ReportTime(1, 1))
		must(t, b.StartBuild("a", "b").ReportTime(1, 2))
		c := connect(t, b, buildabi.V1)
		c.expect("hello running [a=pending b=pending], time 1 2ns")
		c.close()
	})
}

// TestH20 fuzzes a program without any program counter.
func TestH20(t *testing.T) {
	for v, want := range map[buildabi.Version]string{
		buildabi.V1: "index 0, entries []", buildabi.V3: "index 0, coverage 5/1/0, entries []",
	} {
		session(t, v, "a", func(t *testing.T, b board, u build, c *client) {
			f, err := u.StartFuzz()
			must(t, err)
			c.expect("fuzz_init")
			must(t, f.SetIndex(&buildabi.SourceIndex{}),
				f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 5, UniqueRuns: 1}), f.SetEntryPoints())
			if err := f.SetEntryPoints(0); err == nil {
				t.Error("an entry point at no location is accepted")
			}
			time.Sleep(time.Second)
			c.expect(want)
		})
	}
}

// TestH21 lets clients come while builds begin and end: each Hello is one state of the board.
func TestH21(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a", "b")
	work := func() {
		u := b.StartBuild("a", "b")
		must(t, u.SetStep(0, buildabi.Success), u.SetStep(1, buildabi.Success), u.Finish(buildabi.Idle))
	}
	comers(t, b, work, func(msgs [][]byte) {
		m, err := buildabi.Parse(buildabi.V1, msgs[0])
		if hello, ok := m.(*buildabi.Hello); err == nil && ok {
			first, second := hello.Statuses.Get(0), hello.Statuses.Get(1)
			if hello.Status == buildabi.Idle && second != buildabi.Success || second > first {
				t.Errorf("%s", text(hello))
			}
		}
	})
}
