//go:build long

package webui_test

import (
	"context"
	"testing"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// BenchmarkFrames compares the 95th percentile of the time between frames of the page while 100
// updates a second come with that of an idle page, in milliseconds.
func BenchmarkFrames(b *testing.B) {
	page := launch(b)
	h := startHost(b, buildabi.V1, "127.0.0.1:0")
	u := h.board.StartBuild(steps(10_000)...)
	page.open(h.address)
	page.until(`document.querySelector("#step-0")`)
	var idle, busy float64
	for b.Loop() {
		idle += page.frames()
		busy += page.framesDuring(func(i int) { u.SetStep(i%20, buildabi.StepStatus(i/20%4)) })
	}
	page.quiet()
	b.ReportMetric(0, "ns/op") // how long that took says nothing
	b.ReportMetric(idle/float64(b.N), "idle-ms")
	b.ReportMetric(busy/float64(b.N), "busy-ms")
}

// frames returns the 95th percentile of 180 times between frames.
func (b *browser) frames() (p95 float64) {
	b.t.Helper()
	b.run(&p95, `new Promise((resolve) => {
		const times = [];
		const frame = (now) => {
			times.push(now);
			if (times.length <= 180) requestAnimationFrame(frame);
			else resolve(times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b)[171]);
		};
		requestAnimationFrame(frame);
	})`)
	return p95
}

// framesDuring is frames while update is called 100 times a second.
func (b *browser) framesDuring(update func(i int)) float64 {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { // until the frames are counted
		defer close(done)
		ticks := time.NewTicker(10 * time.Millisecond)
		defer ticks.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			<-ticks.C
			update(i)
		}
	}()
	p95 := b.frames()
	stop()
	<-done
	return p95
}
