//go:build long

package webui_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/larderbuild/larder/buildabi"
)

// TestDurations shows how times are written: with three digits, and never with an exponent.
func TestDurations(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V1, "127.0.0.1:0")
	b.open(h.address)
	for ns, want := range map[string]string{"null": "not run", "0": "0 s", "7": "7 ns", "999": "999 ns",
		"1000": "1.00 µs", "999_499": "999 µs", "999_500": "1.00 ms", "12_345_678": "12.3 ms",
		"999_999_999": "1.00 s", "1.5e9": "1.50 s", "59.94e9": "59.9 s", "59.95e9": "1 min 0 s",
		"3599.4e9": "59 min 59 s", "3661e9": "1 h 1 min"} {
		var got string
		b.run(&got, `import("./dom.js").then(({ duration }) => duration(%s))`, ns)
		if got != want {
			t.Errorf("%s: %s, want %s", ns, got, want)
		}
	}
	b.quiet()
}

// TestOutcome shows that the page and its title say how a build ended, and how long it took.
func TestOutcome(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V1, "127.0.0.1:0")
	b.open(h.address)
	b.until(`document.querySelector("#none").innerText === "There are no steps yet."`)
	u := h.board.StartBuild("a", "b")
	b.outcome("Building", "Building – Build")
	must(t, u.SetStep(0, buildabi.Success), u.SetStep(1, buildabi.Failure))
	b.until(`document.querySelector("#summary").innerText === "1 failed, 1 done"`)
	b.outcome("Building", "Building – Build")
	must(t, u.Finish(buildabi.Idle))
	b.outcome("Failed", "1 failed – Build")
	u = h.board.StartBuild("a", "b")
	b.outcome("Building", "Building – Build")
	b.until(`/^[1-9] s$/.test(document.querySelector("#elapsed").innerText)`)
	must(t, u.SetStep(1, buildabi.Running))
	b.until(`/^running [1-9] s$/.test(document.querySelector("#step-1 .state").innerText)`)
	must(t, u.SetStep(0, buildabi.Success), u.SetStep(1, buildabi.Success), u.Finish(buildabi.Watching))
	b.outcome("Watching for changes", "Watching for changes – Build")
	b.until(`/^\d+\.\d+ s$/.test(document.querySelector("#elapsed").innerText)`)
	b.until(`document.querySelector("#summary").innerText === "2 done"`)
	b.run(nil, `window.together = new Promise((resolve) => new MutationObserver(() => resolve(
		document.querySelector("#summary").innerText + ": " + document.querySelector("#status").innerText)
	).observe(document.querySelector("#summary"), { subtree: true, characterData: true })), undefined`)
	must(t, u.SetStep(1, buildabi.Failure)) // after the status, as in the last pass of a build
	var together string
	b.run(&together, `window.together`)
	wantEqual(t, "at once", together, "1 failed, 1 done: Failed, watching for changes")
	b.quiet()
}

// outcome waits until the page says so, in its own colour if something failed.
func (b *browser) outcome(status, title string) {
	b.t.Helper()
	b.until(`document.querySelector("#status").innerText === %q && document.title === %q &&
		(getComputedStyle(document.querySelector("#status")).color !== getComputedStyle(document.body).color) === %t`,
		status, title, status == "Failed")
}

// TestStale shows that the report of the build before is said to be that, everywhere.
func TestStale(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	b.open(h.address)
	u := h.fill(10)
	b.until(`document.querySelector("#step-1 .state")?.innerText === "done, 1.50 s"`)
	b.click("#step-1")
	b.until(`document.querySelector("#total").innerText === "Total\n1.50 s"`)
	b.click("#tab-times")
	b.until(`document.querySelectorAll("#times tbody tr:not(.stale)").length === 3`)
	must(t, u.Finish(buildabi.Idle))
	u = h.board.StartBuild(steps(10)...)
	b.until(`document.querySelectorAll("#times tbody tr.stale").length === 3`)
	b.click("#tab-steps")
	b.until(`document.querySelector("#total").innerText === "Total, earlier build\n1.50 s"`)
	wantEqual(t, "the log", b.text("#printed"), "Log, earlier build\nlog of 1\nsecond line\n")
	b.until(`document.querySelector("#step-1 .state").innerText === "pending, was 1.50 s"`)
	must(t, u.ReportTime(1, 2*time.Second), u.SetStep(1, buildabi.Failure))
	b.until(`document.querySelector("#total").innerText === "Total\n2.00 s"`)
	b.until(`document.querySelector("#printed").innerText === "Log\nlog of 1\nsecond line\n"`)
	b.quiet()
}

// TestNothing shows what a view says that has nothing to show.
func TestNothing(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	h.board.StartBuild("aX")
	b.open(h.address)
	b.until(`document.querySelector("#step-0")`)
	b.until(`document.querySelector("#none").innerText === "" &&
		document.querySelector("#detail").innerText.startsWith("No step chosen\n\nChoose one")`)
	b.run(nil, `(() => { const f = document.querySelector("#search"); f.value = "b"; f.oninput(); })()`)
	b.until(`document.querySelector("#none").innerText === "No step is like that."`)
	b.themes(func(theme string) {
		b.until(`document.querySelector("#theme").ariaPressed === "%t"`, theme == "dark")
		b.readable(t, "nothing, "+theme)
	})
	for tab, want := range map[string]string{"times": "No step has reported its time yet.",
		"tests": "No step has reported its tests yet.", "fuzz": "Nothing is being fuzzed."} {
		b.click("#tab-" + tab)
		b.until(`document.querySelector("#%s").innerText === %q`, tab, want)
	}
	silent := startHostOf(t, buildabi.BoardOptions{Version: buildabi.V3}, "127.0.0.1:0", buildabi.HandlerOptions{})
	silent.board.StartBuild("a")
	b.open(silent.address)
	b.click("#tab-times")
	b.until(`document.querySelector("#times").innerText === "This build reports no times."`)
	b.quiet()
}

// TestFilter shows that the steps seen are those of the status and the name asked for, in letters
// of any size, also when they come to that later.
func TestFilter(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	u := h.board.StartBuild("Compile a", "compile B", "test a")
	b.open(h.address)
	for i, c := range []struct {
		search, filter string
		want           []string
	}{
		{"COMP", "", []string{"Compile a", "compile B"}},
		{"b", "", []string{"compile B"}},
		{"", "failed", []string{}},
		{" a", "failed", []string{"Compile a", "test a"}},
		{"", "pending", []string{"compile B"}},
	} {
		b.run(nil, `(() => {
			const search = document.querySelector("#search"), filter = document.querySelector("#filter");
			search.value = %q, filter.value = %q;
			search.oninput();
		})()`, c.search, c.filter)
		if i == 3 {
			must(t, u.SetStep(0, buildabi.Failure), u.SetStep(2, buildabi.Failure))
		}
		want, _ := json.Marshal(c.want)
		b.until(`JSON.stringify([...document.querySelectorAll("#list .name")].map((e) => e.innerText)) === %q`, want)
	}
	must(t, u.SetStep(1, buildabi.Running))
	b.until(`document.querySelector("#none").innerText === "No step is like that."`)
	b.quiet()
}

// TestNotUnderstood shows that the page says so when a message is none that it knows, and goes on.
func TestNotUnderstood(t *testing.T) {
	b := launch(t)
	more := make(chan []byte)
	h := startHostOf(t, buildabi.BoardOptions{}, "127.0.0.1:0", buildabi.HandlerOptions{
		Connect: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer ws.CloseNow()
			for m := range more {
				ws.Write(r.Context(), websocket.MessageBinary, m)
			}
		})})
	t.Cleanup(func() { close(more) }) // before the host is waited for
	b.open(h.address)
	more <- []byte{99}
	b.until(`document.querySelector("#connection").innerText === "Not understood: unknown tag 99"`)
	hello, err := (&buildabi.Hello{Steps: []string{"a"}, Statuses: buildabi.NewStatuses(1)}).AppendBinary(nil)
	must(t, err)
	more <- append(hello, 0)
	b.until(`document.querySelector("#connection").innerText === "Not understood: 1 bytes too many"`)
	more <- hello
	b.until(`document.querySelector("#step-0")`)
	b.quiet()
}

// TestEarlyFuzz shows the figures of a session that by the page's clock has not begun.
func TestEarlyFuzz(t *testing.T) {
	b := launch(t)
	b.open(startHost(t, buildabi.V3, "127.0.0.1:0").address)
	b.click("#tab-fuzz")
	b.run(nil, `import("./fuzz.js").then(({ Fuzz }) => {
		const fuzz = new Fuzz();
		fuzz.setIndex({ files: [], locations: [], startRuns: 0 }, -60000).catch(() => {});
		fuzz.draw();
	})`)
	b.until(`document.querySelector("#fuzzed").innerText === "0 s"`)
	wantEqual(t, "runs a second", b.text("#rate"), "0")
}
