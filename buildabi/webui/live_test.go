//go:build long

package webui_test

import (
	"context"
	"testing"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// watchScript notes the nodes of the page that change or are new.
const watchScript = `
	window.touched = new Set();
	window.watcher = new MutationObserver((records) => {
		for (const r of records) for (const node of [r.target, ...r.addedNodes]) touched.add(node);
	});
	watcher.observe(document, {
		subtree: true, childList: true, attributes: true, characterData: true });`

// TestManySteps shows that 10,000 steps make at most 200 rows, wherever the list is scrolled to,
// and that one update changes at most 3 nodes.
func TestManySteps(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V1, "127.0.0.1:0")
	u := h.board.StartBuild(steps(10_000)...)
	b.size(1280, 8000)
	b.open(h.address)
	b.until(`document.querySelector("#step-0")`)
	for _, end := range []string{"0", "1e9", "150_000"} {
		b.run(nil, `document.querySelector("#viewport").scrollTop = %s`, end)
		b.until(`(() => {
			const view = document.querySelector("#viewport").getBoundingClientRect();
			const rows = [...document.querySelectorAll("#list li")].map((r) => r.getBoundingClientRect());
			return rows.length > 0 && rows.length <= 200 && rows[0].top <= view.top + 2;
		})()`)
	}
	b.size(1280, 800)
	b.run(nil, `document.querySelector("#viewport").scrollTop = 0`)
	b.until(`document.querySelector("#step-3")`)
	b.run(nil, `document.querySelector("#list").focus()`)
	b.key("End")
	b.until(`document.querySelector("#step-9999")?.getAttribute("aria-selected") === "true"`)
	b.key("Home")
	b.until(`document.querySelector("#step-0")?.getAttribute("aria-posinset") === "1"`)
	b.until(`document.querySelector("#log").innerText === "log of 0\nsecond line\n"`)
	for i, status := range []buildabi.StepStatus{
		buildabi.Running, buildabi.Success, buildabi.Running, buildabi.Failure} {
		b.run(nil, watchScript)
		must(t, u.SetStep(3, status))
		names := []string{"pending", "running", "done", "failed"}
		b.until(`document.querySelector("#step-3 .state").innerText.startsWith(%q) &&
			document.querySelector("#summary").innerText.includes("1 %[1]s")`, names[status])
		var touched []string
		b.run(&touched, `watcher.disconnect(),
			[...touched].map((n) => n.nodeName + " " + (n.id || n.parentNode.className))
				.filter((name) => name !== "#text elapsed")`)
		t.Logf("update %d changed %q", i, touched)
		if n := len(touched); n == 0 || n > 3 {
			t.Errorf("update %d changed %d nodes: %q", i, n, touched)
		}
	}
	b.quiet()
}

// TestRebuild shows that clicks reach the host, and only while they can be used.
func TestRebuild(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	b.open(h.address)
	u := h.fill(10)
	b.until(`document.querySelector("#status").innerText === "Building"`)
	b.click("#rebuild")
	must(t, u.Finish(buildabi.Idle))
	b.until(`!document.querySelector("#rebuild").disabled`)
	if h.board.Poll() {
		t.Error("a click on a disabled button")
	}
	b.run(nil, `document.querySelector("#rebuild").focus()`)
	b.key(" ")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, h.board.WaitRebuild(ctx))
	h.board.StartBuild(steps(10)...)
	b.until(`document.querySelector("#rebuild").disabled`)
	b.until(`document.querySelector("#step-1 .state").innerText === "pending, was 1.50 s" ||
		document.querySelector("#step-1 .state").innerText === "pending"`)
	b.quiet()
}

// TestReconnect shows that the page says when the server is gone, and takes up with the next one.
func TestReconnect(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V1, "127.0.0.1:0")
	h.board.StartBuild(steps(3)...)
	b.open(h.address)
	b.until(`document.querySelectorAll("#list li").length === 3`)
	b.click("#step-1")
	b.until(`document.querySelector("#elapsed").innerText.startsWith("over ")`) // nobody knows better
	h.stop()
	b.until(`document.querySelector("#connection").innerText.includes("Reconnecting")`)
	b.until(`document.querySelector("#rebuild").disabled`)
	var stands bool
	b.run(&stands, `new Promise((resolve) => {
		const seen = document.querySelector("#elapsed").innerText;
		setTimeout(() => resolve(seen === document.querySelector("#elapsed").innerText), 2500);
	})`)
	if !stands {
		t.Error("the time goes on, of which nobody knows")
	}
	b.themes(func(theme string) { b.readable(t, "reconnecting, "+theme) })
	b.keep("reconnecting")
	h = startHost(t, buildabi.V1, h.address)
	u := h.board.StartBuild(steps(5)...)
	must(t, u.SetStep(4, buildabi.Failure), u.Finish(buildabi.Idle))
	b.until(`document.querySelector("#connection").innerText.includes("Connected")`)
	b.until(`document.querySelector("#summary").innerText === "1 failed, 4 pending"`)
	wantEqual(t, "still chosen", b.text("#chosen"), "step 1")
	b.until(`document.querySelector("#log").innerText === "log of 1\nsecond line\n"`)
	b.until(`!document.querySelector("#rebuild").disabled`)
	h.stop() // with nothing going on, too, nobody is there to be asked
	b.until(`document.querySelector("#rebuild").disabled`)
	b.quiet("WebSocket connection to", "ERR_CONNECTION_REFUSED")
}

// TestManyReports shows that a report changes its own row of the tables and nothing else of them.
func TestManyReports(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	u := h.board.StartBuild(steps(1000)...)
	must(t, u.ReportTime(0, time.Minute))
	for i := range 998 {
		must(t, u.ReportTime(i+1, time.Duration(i+1)*time.Millisecond))
	}
	b.open(h.address)
	b.click("#tab-times")
	b.until(`document.querySelector("#times caption").innerText === "Steps: the first 200 of 999"`)
	b.run(nil, watchScript)
	must(t, u.ReportTime(999, 10*time.Second))
	b.until(`document.querySelector("#times tbody tr:nth-child(2)").innerText.startsWith("step 999\tstep\t10.0 s")`)
	var touched []string
	b.run(&touched, `watcher.disconnect(), [...touched].map((n) => n.nodeName + " " + n.textContent)
		.filter((name) => !name.startsWith("#text over"))`)
	if n := len(touched); n == 0 || n > 3 {
		t.Errorf("it changed %d nodes: %.300q", n, touched)
	}
	b.quiet()
}
