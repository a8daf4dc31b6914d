package buildabi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// TestNoHelloBeforeSteps shows that a client that is early hears nothing, and then all.
func TestNoHelloBeforeSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(nil)
		c := connect(t, b, buildabi.V1)
		time.Sleep(time.Minute)
		c.expect("")
		b.StartBuild("a", "b")
		c.expect("hello running [a=pending b=pending]")
		c.close()
	})
}

// TestEmptyList shows that a build of no steps is a list too.
func TestEmptyList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(nil)
		c := connect(t, b, buildabi.V1)
		b.StartBuild()
		c.expect("hello running []")
		c.close()
	})
}

// TestTimes shows that times count from NewBoard, go on over builds, and are monotonic.
func TestTimes(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, _ build, _ *client) {
		for _, want := range []int64{1.54e9, 3.54e9} {
			c := connect(t, b, buildabi.V1)
			hello := c.take()[0].msgs[0].(*buildabi.Hello)
			if hello.Timestamp != want || !hello.TimeReport {
				t.Errorf("Hello at %d, time reports %v; want %d", hello.Timestamp, hello.TimeReport, want)
			}
			time.Sleep(2 * time.Second)
			b.StartBuild("a")
			c.close()
		}
	})
}

func TestUpdates(t *testing.T) {
	session(t, buildabi.V1, "a b c d e", func(t *testing.T, b board, u build, c *client) {
		must(t, u.SetStep(4, buildabi.Running))
		c.expect("4=wip")
		quiet()
		must(t, u.SetStep(4, buildabi.Running))
		c.expect("")
		must(t, u.SetStep(4, buildabi.Failure), u.SetStep(1, buildabi.Success))
		must(t, u.Finish(buildabi.Watching))
		synctest.Wait()
		quiet()
		late := connect(t, b, buildabi.V1)
		late.expect("hello watching [a=pending b=success c=pending d=pending e=failure]")
		late.close()
		if got := c.said(); !strings.HasSuffix(got, "4=failure") || strings.Count(got, "=") != 2 {
			t.Errorf("told %q", got)
		}
	})
}

// TestSecondBuild shows a build of the same list: the client keeps it, and greys its reports.
func TestSecondBuild(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, c *client) {
		must(t, u.SetStep(0, buildabi.Success), u.SetStep(1, buildabi.Failure), u.Finish(buildabi.Idle))
		quiet()
		c.take()
		b.StartBuild("a", "b")
		c.expect("running, 0=pending, 1=pending")
	})
}

// TestQuickBuild shows that a client hears of a build even if it was over before the next pass.
func TestQuickBuild(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, c *client) {
		must(t, u.Finish(buildabi.Idle))
		c.expect("idle")
		must(t, b.StartBuild("a", "b").Finish(buildabi.Idle))
		must(t, b.StartBuild("a", "b").ReportTime(1, time.Second))
		quiet()
		c.expect("running, time 1 1s")
	})
}

// TestOtherList shows that other steps start a client anew, with the reports and the index that
// there are by then.
func TestOtherList(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, c *client) {
		must(t, u.ReportTime(0, time.Second))
		c.take()
		u = b.StartBuild("a", "c")
		must(t, u.ReportTime(1, time.Minute))
		startFuzz(t, u)
		quiet()
		c.expect("hello fuzz_init [a=pending c=pending], time 1 1m0s, index 3")
	})
}

// TestReports shows that one report of each step counts, and that a late client gets those, in the
// order of the steps.
func TestReports(t *testing.T) {
	session(t, buildabi.V3, "a b c", func(t *testing.T, b board, u build, c *client) {
		must(t, u.ReportTime(2, 5), u.ReportCompile(1, &buildabi.CompileResult{Step: 7}))
		synctest.Wait()
		quiet()
		c.take()
		must(t, u.ReportTime(1, 8))
		c.expect("time 1 8ns")
		must(t, u.ReportTime(1, 9), u.ReportTests(2, &buildabi.RunTestResult{Step: 7}),
			u.ReportTime(0, 1), u.ReportTime(0, 1))
		quiet()
		c.expect("time 0 1ns, time 1 9ns, tests 2")
		must(t, u.ReportTime(0, 1))
		c.expect("time 0 1ns")
		late := connect(t, b, buildabi.V3)
		late.expect("hello running [a=pending b=pending c=pending], time 0 1ns, time 1 9ns, tests 2")
		late.close()
	})
}

// TestPassOrder shows the order inside a pass.
func TestPassOrder(t *testing.T) {
	session(t, buildabi.V3, "a b", func(t *testing.T, b board, u build, c *client) {
		must(t, u.SetStep(0, buildabi.Running))
		c.expect("0=wip")
		f := startFuzz(t, u)
		must(t, f.SetEntryPoints(1), f.UpdateCoverage(coverage(5, 0)), u.ReportTime(1, 1),
			u.SetStep(1, buildabi.Failure), u.Finish(buildabi.Idle))
		quiet()
		c.expect("idle, 1=failure, time 1 1ns, index 3, coverage 5/1/1, entries [1]")
	})
}

// TestRefusedCalls shows calls that return an error, and that none of them sends anything.
func TestRefusedCalls(t *testing.T) {
	session(t, buildabi.V1, "a b", func(t *testing.T, b board, u build, c *client) {
		f, err := u.StartFuzz()
		must(t, err)
		c.expect("fuzz_init")
		quiet()
		broken := brokenIndex(buildabi.V1, 1)
		inNoFile := buildabi.CompileResult{Decls: make([]buildabi.Decl, 1)}
		for name, err := range map[string]error{
			"step":                u.SetStep(2, buildabi.Running),
			"negative step":       u.SetStep(-1, buildabi.Running),
			"step status":         u.SetStep(0, 4),
			"finish with running": u.Finish(buildabi.Building),
			"report of no step":   u.ReportTime(2, 1),
			"negative time":       u.ReportTime(0, -1),
			"tests in V1":         u.ReportTests(0, &buildabi.RunTestResult{}),
			"NUL":                 u.ReportCompile(0, &buildabi.CompileResult{Files: []string{"\x00"}}),
			"file of declaration": u.ReportCompile(0, &inNoFile),
			"early coverage":      f.UpdateCoverage(coverage(1, 1)),
			"early entry points":  f.SetEntryPoints(0),
			"broken index":        f.SetIndex(broken),
			"strings of index":    f.SetIndex(&buildabi.SourceIndex{Strings: []byte("a")}),
		} {
			if err == nil || errors.Is(err, buildabi.ErrSuperseded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, f.SetIndex(smallIndex(buildabi.V1)))
		c.expect("index 3")
		for name, err := range map[string]error{
			"too few bits":          f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 1}),
			"half a word":           f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 1, Covered: []byte{1}}),
			"entry point":           f.SetEntryPoints(3),
			"unknown entry point":   f.SetEntryPoints(2),
			"too many entry points": f.SetEntryPoints(make([]uint32, 1<<24)...),
		} {
			if err == nil || errors.Is(err, buildabi.ErrSuperseded) {
				t.Errorf("%s: %v", name, err)
			}
		}
		time.Sleep(time.Second)
		c.expect("")
	})
}

// TestStartRuns shows the run count at the start: V3 has it, V1 ignores it.
func TestStartRuns(t *testing.T) {
	for _, v := range []buildabi.Version{buildabi.V1, buildabi.V3} {
		session(t, v, "a", func(t *testing.T, b board, u build, c *client) {
			f, err := u.StartFuzz()
			must(t, err)
			index := smallIndex(buildabi.V3)
			index.StartRuns = 10
			must(t, f.SetIndex(index))
			quiet()
			sent := find[*buildabi.SourceIndex](t, c.take())
			if want := 10 * uint64(v); sent.StartRuns != want || sent.Version != v {
				t.Errorf("%v: %d runs at the start, version %v", v, sent.StartRuns, sent.Version)
			}
			if err := f.UpdateCoverage(coverage(9, 0)); (err == nil) != (v == buildabi.V1) {
				t.Errorf("%v: fewer runs than at the start: %v", v, err)
			}
		})
	}
}

// TestIndexAgain shows that coverage and entry points belong to the index that they were set for.
func TestIndexAgain(t *testing.T) {
	session(t, buildabi.V3, "a", func(t *testing.T, b board, u build, c *client) {
		f := startFuzz(t, u)
		must(t, f.UpdateCoverage(coverage(1, 0)), f.SetEntryPoints(0))
		time.Sleep(time.Second)
		c.take()
		must(t, f.SetIndex(&buildabi.SourceIndex{}))
		time.Sleep(time.Second)
		c.expect("index 0")
		late := connect(t, b, buildabi.V3)
		late.expect("hello fuzz_init [a=pending], index 0")
		late.close()
	})
}

func TestReportsOff(t *testing.T) {
	u := buildabi.NewBoard(nil).StartBuild("a")
	if err := u.ReportTime(0, 1); err == nil {
		t.Error("a report is accepted though time reports are off")
	}
}

// TestUnknownVersionOfBoard shows what a version that there is not stands for.
func TestUnknownVersionOfBoard(t *testing.T) {
	u := buildabi.NewBoard(&buildabi.BoardOptions{Version: 9, TimeReport: true}).StartBuild("a")
	must(t, u.ReportTests(0, &buildabi.RunTestResult{}))
	startFuzz(t, u) // which encodes an index
}

// TestSuperseded shows that an old build and old fuzz sessions change nothing any more.
func TestSuperseded(t *testing.T) {
	session(t, buildabi.V3, "a", func(t *testing.T, b board, u build, c *client) {
		first := startFuzz(t, u)
		second := startFuzz(t, u)
		oldFuzz := []error{first.SetIndex(smallIndex(buildabi.V3)),
			first.UpdateCoverage(coverage(1, 1)), first.SetEntryPoints(0)}
		must(t, second.UpdateCoverage(coverage(1, 1)))
		b.StartBuild("a")
		synctest.Wait()
		quiet()
		c.take()
		_, err := u.StartFuzz()
		oldBuild := []error{err, u.SetStep(0, buildabi.Running), u.Finish(buildabi.Idle),
			u.ReportTime(0, 1), second.SetIndex(smallIndex(buildabi.V3)),
			second.UpdateCoverage(coverage(1, 1)), second.SetEntryPoints(0)}
		for i, err := range slices.Concat(oldFuzz, oldBuild) {
			if !errors.Is(err, buildabi.ErrSuperseded) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		time.Sleep(time.Second)
		c.expect("")
	})
}

// TestCopies shows that what the host does with its arguments later changes nothing.
func TestCopies(t *testing.T) {
	session(t, buildabi.V3, "a", func(t *testing.T, b board, _ build, _ *client) {
		steps := []string{"x", "y"}
		u := b.StartBuild(steps...)
		f, err := u.StartFuzz()
		must(t, err)
		index, reached := smallIndex(buildabi.V3), coverage(7, 1)
		compile := &buildabi.CompileResult{Step: 7, Decls: []buildabi.Decl{{}}, Files: []string{"f"}}
		tests := &buildabi.RunTestResult{Step: 7}
		must(t, f.SetIndex(index), f.UpdateCoverage(reached), u.ReportTests(0, tests),
			u.ReportCompile(0, compile))
		if compile.Step != 7 || tests.Step != 7 || index.Start != 2e9 {
			t.Errorf("the host's own have changed to %v, %v, %v", compile, tests, index)
		}
		steps[0], index.Strings[0], reached.Covered[0], compile.Decls[0].File = "z", 'z', 5, 9
		index.Locations[2] = index.Locations[0]
		if err := f.SetEntryPoints(2); err == nil {
			t.Error("a location has become known")
		}
		c := connect(t, b, buildabi.V3)
		msgs := c.take()[0].msgs
		if got := text(msgs[0]); got != "hello fuzz_init [x=pending y=pending]" {
			t.Errorf("told %s", got)
		}
		if directory, _ := msgs[2].(*buildabi.SourceIndex).Path(0); directory != "/p" {
			t.Errorf("the directory is %q", directory)
		}
		if !msgs[3].(*buildabi.CoverageUpdate).Covered.Get(1) {
			t.Error("the coverage has changed")
		}
		c.close()
	})
}

// TestRebuild shows that clicks are one request, and part of the build that follows.
func TestRebuild(t *testing.T) {
	session(t, buildabi.V1, "a", func(t *testing.T, b board, _ build, c *client) {
		if b.Poll() {
			t.Error("a request before any click")
		}
		for range 3 {
			c.in <- []byte{0, 1}
		}
		must(t, b.WaitRebuild(t.Context()))
		if b.Poll() {
			t.Error("three clicks are two requests")
		}
		c.in <- []byte{0}
		synctest.Wait()
		b.StartBuild("a")
		if b.Poll() {
			t.Error("a click before the build is not part of it")
		}
		c.in <- []byte{0}
		synctest.Wait()
		if !b.Poll() || b.Poll() {
			t.Error("a click after the build began is no request")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.WaitRebuild(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waited without a click: %v", err)
		}
		c.take()
	})
}
