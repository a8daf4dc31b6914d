//go:build long && zig && unix

package webui_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// zigPage is Zig's own page with the client that the tests of package buildabi have compiled:
//
//	go test -tags zig -run ZigClient ./buildabi -zig .../ziglang/zig -zigcache DIR
//	go -C buildabi/webui test -tags long,zig -run ZigPage . -zig .../ziglang/zig -zigcache DIR
func zigPage(t *testing.T) (v buildabi.Version, o buildabi.HandlerOptions) {
	t.Helper()
	path, err := exec.LookPath(*zigPath)
	must(t, err)
	path, err = filepath.EvalSymlinks(path)
	must(t, err)
	out, err := exec.CommandContext(t.Context(), path, "version").Output()
	must(t, err)
	name := strings.TrimSpace(string(out))
	if !strings.HasPrefix(name, "0.15.") {
		v = buildabi.V3
	}
	o.Files = os.DirFS(filepath.Join(filepath.Dir(path), "lib", "build-web"))
	o.Compile = func(_ context.Context, debug bool) ([]byte, error) {
		mode := "ReleaseSmall"
		if debug {
			mode = "Debug"
		}
		return os.ReadFile(filepath.Join(*zigCache, "client-"+name+"-"+mode+".wasm"))
	}
	return v, o
}

// TestZigPage shows a live board in Zig's own page, with its client of either build: the one in
// Debug panics at what it does not expect, and the console tells.
func TestZigPage(t *testing.T) {
	v, o := zigPage(t)
	for name, path := range map[string]string{"release": "/", "debug": "/debug/"} {
		t.Run(name, func(t *testing.T) {
			b := launch(t)
			board := buildabi.BoardOptions{Version: v, TimeReport: true}
			h := startHostOf(t, board, "127.0.0.1:0", o)
			b.call("Page.navigate", object{"url": "http://" + h.address + path}, nil)
			u := h.fill(10)
			b.until(`document.querySelectorAll("#stepList li").length === 10`)
			b.zigSteps(t, "Running...", "true")
			b.zigReports(t, v)
			f := h.fuzz(u)
			b.zigFuzz(t, f)
			b.zigSteps(t, "Watching for changes...", "false")
			b.keep("zig-" + name)
			b.click("#buttonRebuild")
			must(t, h.board.WaitRebuild(t.Context()))
			h.stop()
			b.until(`document.querySelector("#connectionStatus").textContent.includes("Re-connecting")`)
			again := startHostOf(t, board, h.address, o)
			again.board.StartBuild("a", "b")
			b.until(`document.querySelector("#stepList").innerText === "a\nb"`)
			b.until(`document.querySelector("#fuzz").className === "hidden"`)
			b.quiet("ERR_CONNECTION_REFUSED", "WebSocket connection to")
		})
	}
}

// zigSteps compares what the page says of the build and its steps with what fill has put on the board.
func (b *browser) zigSteps(t *testing.T, status, busy string) {
	t.Helper()
	b.until(`document.querySelector("#summaryStatus").innerText === %q`, status)
	b.until(`String(document.querySelector("#buttonRebuild").disabled) === %q`, busy)
	wantEqual(t, "number of steps", b.text("#summaryStepCount"), "10")
	want := []string{"step 0 step-wip", "step 1 step-success", "step 2 step-failure", "step 3 step-success",
		"step 4 ", "step 5 ", "step 6 ", "step 7 ", "step 8 ", "step 9 "}
	b.until(`document.querySelector("#stepList").children[3].className === "step-success"`)
	var got []string
	b.run(&got, `[...document.querySelectorAll("#stepList li")].map((e) => e.innerText + " " + e.className)`)
	wantEqual(t, "steps", got, want)
}

// zigReports compares the time report of fill.
func (b *browser) zigReports(t *testing.T, v buildabi.Version) {
	t.Helper()
	slot := func(step int, name string) string {
		b.until(`document.querySelectorAll("#timeReportList > div")[%d]?.querySelector("[slot=%s]")`, step, name)
		var text string
		b.run(&text, `document.querySelectorAll("#timeReportList > div")[%d].querySelector("[slot=%s]").textContent`, step, name)
		return text
	}
	table := func(step int, id string) (rows [][]string) {
		b.run(&rows, `[...document.querySelectorAll("#timeReportList > div")[%d].shadowRoot.getElementById(%q)
			.children].map((r) => [...r.children].map((c) => c.textContent))`, step, id)
		return rows
	}
	wantEqual(t, "time of step 1", slot(1, "stat-total-time"), "1.5s")
	wantEqual(t, "time of compilation", slot(2, "stat-compilation-time"), "2s")
	wantEqual(t, "files", slot(2, "stat-reachable-files"), "1234")
	wantEqual(t, "parsing", slot(2, "cpu-time-parse"), "5ms")
	wantEqual(t, "passes of LLVM", slot(2, "llvm-pass-timings"), "passes")
	wantEqual(t, "declarations", table(2, "declTableBody"), [][]string{
		{"b.zig", "large", "3", "7ms", "2ms", "1ms", "10ms"}, {"a.zig", "small", "1", "1ms", "0ns", "0ns", "1ms"}})
	if v == buildabi.V1 {
		return // has no test results
	}
	b.until(`document.querySelectorAll("#timeReportList > div")[3].shadowRoot.getElementById("runTestTableBody").children.length === 3`)
	wantEqual(t, "tests", table(3, "runTestTableBody"), [][]string{
		{"quick", "2ms"}, {"slow", "250ms"}, {"skipped", ""}})
}

// zigFuzz compares counters, entry points and the coloured source of fuzz, and what an update changes.
func (b *browser) zigFuzz(t *testing.T, f *buildabi.Fuzz) {
	t.Helper()
	const stat = `document.querySelector("#fuzzEntries [slot=stat-%s]").textContent`
	b.until(`document.querySelector("#fuzzEntries [slot=stat-coverage]")`)
	for name, want := range map[string]string{"total-runs": "12345", "unique-runs": "67", "coverage": "1 / 3"} {
		var got string
		b.run(&got, stat, name)
		if got, _, _ = strings.Cut(got, " ("); got != want { // the share: this client takes 1 for 100 %
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	const shadow = `document.querySelector("#fuzzEntries").firstChild.shadowRoot`
	b.until(shadow + `.getElementById("entryPointList").textContent.includes("src/main.zig:3:1")`)
	b.run(nil, shadow+`.querySelector("#entryPointList button").click()`)
	b.until(shadow + `.getElementById("sourceText").textContent.includes('return parse("12", 0x1f);')`)
	var covered []string
	const marks = `[...` + shadow + `.querySelectorAll("#sourceText [id]")].map((e) => e.id + " " + e.className)`
	b.run(&covered, marks)
	wantEqual(t, "locations", covered, []string{"l0 l", "l1 l c", "l2 l"})
	now := buildabi.NewBits(3)
	now.Set(1)
	now.Set(2)
	must(t, f.UpdateCoverage(&buildabi.CoverageUpdate{Runs: 20000, UniqueRuns: 68, Covered: now}))
	b.until(stat+` === "20000"`, "total-runs")
	b.run(&covered, marks)
	wantEqual(t, "locations then", covered, []string{"l0 l", "l1 l c", "l2 l c"})
}
