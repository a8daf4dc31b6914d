//go:build long

package webui_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// host is a build tool with a page, which can go away and come back at the same address.
type host struct {
	t       testing.TB
	version buildabi.Version
	board   *buildabi.Board
	address string
	stop    func()
	files   fstest.MapFS       // the sources
	logs    chan io.ReadCloser // those to be served first; nil is none
}

const source = `const std = @import("std");

test "parse" { // the entry
	return parse("12", 0x1f);
}
`

// startHost serves a new board; address is that of a host before, or has port 0.
func startHost(t testing.TB, version buildabi.Version, address string) *host {
	t.Helper()
	return startHostOf(t, buildabi.BoardOptions{Version: version, TimeReport: true}, address,
		buildabi.HandlerOptions{})
}

// startHostOf is startHost with another board, and the page of the options.
func startHostOf(t testing.TB, board buildabi.BoardOptions, address string, o buildabi.HandlerOptions) *host {
	t.Helper()
	l, err := net.Listen("tcp", address)
	must(t, err)
	h := &host{t: t, version: board.Version, address: l.Addr().String(), logs: make(chan io.ReadCloser, 1),
		board: buildabi.NewBoard(&board),
		files: fstest.MapFS{"src/main.zig": {Data: []byte(source)}, "src/other.zig": {Data: []byte("//\n")}}}
	o.Sources = func(directory, basename string) (fs.File, error) {
		return h.files.Open(directory + "/" + basename)
	}
	o.StepLog = func(step int) (io.ReadCloser, error) {
		select {
		case log := <-h.logs:
			if log == nil {
				return nil, fs.ErrNotExist
			}
			return log, nil
		default:
		}
		return io.NopCloser(strings.NewReader(fmt.Sprintf("log of %d\nsecond line\n", step))), nil
	}
	handler := webui.Handler(h.board, &o)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		buildabi.Serve(ctx, l, handler, nil)
	}()
	h.stop = func() {
		stop()
		<-done
	}
	t.Cleanup(h.stop)
	return h
}

// steps returns the names of so many steps.
func steps(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("step %d", i)
	}
	return names
}

// fill puts something for every view on the board.
func (h *host) fill(n int) *buildabi.Build {
	h.t.Helper()
	u := h.board.StartBuild(steps(n)...)
	must(h.t, u.SetStep(0, buildabi.Running), u.SetStep(1, buildabi.Success),
		u.SetStep(2, buildabi.Failure), u.SetStep(3, buildabi.Success),
		u.ReportTime(1, 1500*time.Millisecond),
		u.ReportCompile(2, &buildabi.CompileResult{Total: 2e9, UseLLVM: true, PassTimings: "passes",
			Stats: buildabi.Stats{ReachableFiles: 1234, CPUParse: 5e6},
			Files: []string{"a.zig", "b.zig"},
			Decls: []buildabi.Decl{{Name: "small", File: 0, Sema: 1e6, SemaCount: 1},
				{Name: "large", File: 1, Sema: 7e6, Codegen: 2e6, Link: 1e6, SemaCount: 3}}}))
	if h.version != buildabi.V1 {
		must(h.t, u.ReportTests(3, &buildabi.RunTestResult{Tests: []buildabi.Test{
			{Name: "quick", Time: 2e6}, {Name: "slow", Time: 250e6},
			{Name: "skipped", Time: buildabi.NotRun}}}))
	}
	return u
}

// fuzz puts a fuzz session on the board.
func (h *host) fuzz(u *buildabi.Build) *buildabi.Fuzz {
	h.t.Helper()
	f, err := u.StartFuzz()
	must(h.t, err)
	index := &buildabi.SourceIndex{Locations: []buildabi.Location{
		{File: 0, Line: 3, Column: 1}, {File: 0, Line: 4, Column: 2}, {File: 0, Line: 4, Column: 9}}}
	if h.version != buildabi.V1 {
		index.StartRuns = 12345 // all that there are at first
	}
	index.AddFile("src", "main.zig")
	index.AddFile("src", "other.zig")
	covered := buildabi.NewBits(3)
	covered.Set(1)
	must(h.t, f.SetIndex(index), f.SetEntryPoints(0), u.Finish(buildabi.Watching),
		f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 12345, UniqueRuns: 67, Covered: covered}))
	return f
}

// rows returns the cells of the tables in an element.
func (b *browser) rows(selector string) (rows [][]string) {
	b.t.Helper()
	b.run(&rows, `[...document.querySelectorAll(%q)].map((r) => [...r.cells].map((c) => c.innerText))`,
		selector+" tbody tr")
	return rows
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestViews reaches every view and compares it with the board.
func TestViews(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	b.open(h.address)
	u := h.fill(10)
	b.until(`document.querySelectorAll("#list li").length === 10`)
	t.Run("steps", func(t *testing.T) { b.viewSteps(t) })
	t.Run("report and log", func(t *testing.T) { b.viewReport(t) })
	t.Run("times", func(t *testing.T) { b.viewTimes(t) })
	t.Run("tests", func(t *testing.T) {
		b.click("#tab-tests")
		b.until(`document.querySelectorAll("#tests tbody tr").length === 3`)
		wantEqual(t, "tests", b.rows("#tests"), [][]string{
			{"slow", "step 3", "250 ms"}, {"quick", "step 3", "2.00 ms"},
			{"skipped", "step 3", "not run"}})
		b.keep("tests")
	})
	f := h.fuzz(u)
	t.Run("fuzz", func(t *testing.T) { b.viewFuzz(t, "^0$") })
	t.Run("fuzz goes on", func(t *testing.T) { b.viewFuzzLater(t, f) })
	t.Run("next build", func(t *testing.T) {
		b.click("#tab-times")
		next := h.board.StartBuild(steps(10)...)
		b.until(`document.querySelector("#status").innerText === "Building"`)
		b.until(`document.querySelector("#rebuild").disabled`)
		must(t, next.ReportTime(1, time.Second), next.Finish(buildabi.Idle))
		b.until(`document.querySelector("#status").innerText === "Idle"`)
		b.until(`!document.querySelector("#rebuild").disabled`)
	})
	b.quiet()
}

// TestSources shows that sources are found by names of any length.
func TestSources(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	index := &buildabi.SourceIndex{}
	directories := []string{"src", strings.Repeat("long/", 25) + "x", strings.Repeat("longer/", 70) + "x"}
	for i, d := range directories {
		index.AddFile(d, "a.zig")
		index.Locations = append(index.Locations, buildabi.Location{File: uint32(i), Line: 1, Column: 1})
		h.files[d+"/a.zig"] = &fstest.MapFile{Data: fmt.Appendf(nil, "source %d", i)}
	}
	f, err := h.board.StartBuild("a").StartFuzz()
	must(t, err, f.SetIndex(index))
	b.open(h.address)
	b.click("#tab-fuzz")
	for i, d := range directories {
		b.until(`document.querySelector("#file").options.length === 3`)
		b.run(nil, `(() => { const f = document.querySelector("#file"); f.value = %q; f.onchange(); })()`, d+"/a.zig")
		b.until(`document.querySelector("#source").textContent === "0/1source %d"`, i)
	}
	b.quiet()
}

// TestFuzzV1 shows that the page takes an index of the other version as well.
func TestFuzzV1(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V1, "127.0.0.1:0")
	b.open(h.address)
	h.fuzz(h.board.StartBuild("a"))
	b.viewFuzz(t, `^[1-9][\d,]*$`)
	b.quiet()
}

func (b *browser) viewSteps(t *testing.T) {
	b.until(`document.querySelector("#summary").innerText === "1 failed, 2 done, 1 running, 6 pending"`)
	b.until(`document.querySelector("#step-3 .state").innerText === "done, 252 ms"`)
	wantEqual(t, "a step", b.text("#step-2 .name"), "step 2")
	wantEqual(t, "its state", b.text("#step-2 .state"), "failed, 2.00 s")
	wantEqual(t, "status", b.text("#status"), "Building")
	b.run(nil, `(() => { const f = document.querySelector("#filter"); f.value = "failed"; f.onchange(); })()`)
	b.until(`document.querySelectorAll("#list li").length === 1`)
	b.run(nil, `(() => { const f = document.querySelector("#filter"); f.value = ""; f.onchange(); })()`)
	b.key("/")
	for _, key := range "P 7" {
		b.key(string(key))
	}
	b.until(`document.querySelectorAll("#list li").length === 1 && document.querySelector("#step-7")`)
	b.run(nil, `(() => { const f = document.querySelector("#search"); f.value = ""; f.oninput(); })()`)
	b.until(`document.querySelectorAll("#list li").length === 10`)
	b.keep("steps")
}

func (b *browser) viewReport(t *testing.T) {
	b.run(nil, `document.querySelector("#list").focus()`)
	for range 3 {
		b.key("ArrowDown")
	}
	b.until(`document.querySelector("#chosen").innerText === "step 2"`)
	b.until(`document.querySelector("#log").innerText.includes("second line")`)
	wantEqual(t, "log", b.text("#log"), "log of 2\nsecond line\n")
	wantEqual(t, "files", b.rows("#report .scroll:nth-of-type(1)"), [][]string{
		{"b.zig", "7.00 ms", "2.00 ms", "1.00 ms", "10.0 ms"}, {"a.zig", "1.00 ms", "0 s", "0 s", "1.00 ms"}})
	wantEqual(t, "declarations", b.rows("#report .scroll:last-of-type"), [][]string{
		{"large", "b.zig", "3", "7.00 ms", "2.00 ms", "1.00 ms", "10.0 ms"},
		{"small", "a.zig", "1", "1.00 ms", "0 s", "0 s", "1.00 ms"}})
	if report := b.text("#report"); !strings.Contains(report, "1,234") ||
		!strings.Contains(report, "LLVM passes") {
		t.Errorf("report: %s", report)
	}
	b.keep("report")
}

func (b *browser) viewTimes(t *testing.T) {
	b.click("#tab-times")
	b.until(`document.querySelectorAll("#times tbody tr").length === 3`)
	want := [][]string{{"step 2", "compile", "2.00 s"}, {"step 1", "step", "1.50 s"},
		{"step 3", "tests", "252 ms"}}
	wantEqual(t, "slowest first", b.rows("#times"), want)
	b.click("#times th:first-child button")
	want[0], want[1] = want[1], want[0]
	wantEqual(t, "by name", b.rows("#times"), want)
	var sorted []string
	b.run(&sorted, `[...document.querySelectorAll("#times th")].map((e) => e.ariaSort)`)
	wantEqual(t, "said to be", sorted, []string{"ascending", "none", "none"})
	b.click("#times th:first-child button")
	want[0], want[2] = want[2], want[0]
	wantEqual(t, "the other way", b.rows("#times"), want)
	var bars []int
	b.run(&bars, `[...document.querySelectorAll("#times td:last-child")].map((e) =>
		getComputedStyle(e).backgroundImage.includes("rgb(") &&
			Math.round(getComputedStyle(e).backgroundSize.match(/([\d.]+)%%/)[1]))`)
	wantEqual(t, "percents of the bars", bars, []int{13, 100, 75})
	b.keep("times")
}

// viewFuzz looks at what fuzz has put there; rate is a pattern for the runs a second.
func (b *browser) viewFuzz(t *testing.T, rate string) {
	b.click("#tab-fuzz")
	b.until(`document.querySelector("#counters").innerText.includes("12,345")`)
	for id, want := range map[string]string{"runs": "^12,345$", "rate": rate, "unique": "^67$",
		"covered": `^1 of 3 \(33.3 %\)$`, "fuzzed": `^\d+ s$`} {
		if got := b.text("#" + id); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %q, want %s", id, got, want)
		}
	}
	b.until(`document.querySelectorAll("#source li").length === 6`)
	var lines []string
	b.run(&lines, `[...document.querySelectorAll("#source li")].map((e) => e.className + ":" + e.textContent)`)
	wantEqual(t, "source", lines[2:4], []string{
		`miss entry:0/1test "parse" { // the entry`, `part:1/2	return parse("12", 0x1f);`})
	var kinds []string
	b.run(&kinds, `[...document.querySelectorAll("#source li:nth-child(4) span")].map((e) => e.className)`)
	wantEqual(t, "words", kinds, []string{"count", "keyword", "string", "literal"})
	wantEqual(t, "entry", b.text("#entries"), "main.zig:3")
	var chart string
	b.run(&chart, `document.querySelector("#chart").ariaLabel + document.querySelector("#chart polyline").points.length`)
	if !strings.HasPrefix(chart, "Coverage over time: 1 of 3 after") || strings.HasSuffix(chart, "0") {
		t.Errorf("chart: %s", chart)
	}
	b.keep("fuzz")
}

// viewFuzzLater shows that counters, chart and source follow the fuzzer, and the ways to other
// places of the source.
func (b *browser) viewFuzzLater(t *testing.T, f *buildabi.Fuzz) {
	all := buildabi.NewBits(3)
	for i := range 3 {
		all.Set(i)
	}
	must(t, f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 23456, UniqueRuns: 68, Covered: all}))
	b.until(`document.querySelector("#counters").innerText.includes("23,456")`)
	b.until(`document.querySelector("#covered").innerText === "3 of 3 (100.0 %%)"`)
	b.until(`/^[1-9][\d,]*$/.test(document.querySelector("#rate").innerText)`)
	b.until(`document.querySelectorAll("#source .hit").length === 2`)
	b.until(`(() => {
		const points = [...document.querySelector("#chart polyline").points];
		const first = points.at(0), last = points.at(-1);
		return points.length >= 3 && first.x === 0 && last.x === 600 && last.y === 2 && first.y > 60;
	})()`)
	b.until(`document.querySelector("#most").innerText === "3" && /^\d+ s$/.test(document.querySelector("#end").innerText)`)
	b.run(nil, `(() => { const f = document.querySelector("#file"); f.value = "src/other.zig"; f.onchange(); })()`)
	b.until(`document.querySelector("#source li").textContent === "//"`)
	b.click("#entries button")
	b.until(`document.querySelector("#source li.entry").textContent.includes("test")`)
	var file string
	b.run(&file, `document.querySelector("#file").value`)
	wantEqual(t, "file", file, "src/main.zig")
}
