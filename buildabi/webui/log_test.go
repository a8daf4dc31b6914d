//go:build long

package webui_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
)

// TestLiveLog shows that a log is seen as it is written, and that of another step once that is
// chosen.
func TestLiveLog(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	u := h.board.StartBuild(steps(3)...)
	must(t, u.SetStep(1, buildabi.Running))
	r, w := io.Pipe()
	h.logs <- r
	b.open(h.address)
	b.until(`document.querySelector("#step-1")`)
	b.click("#step-1")
	for i, want := range []string{"one\n", "one\ntwo <b>\n"} {
		_, err := io.WriteString(w, []string{"one\n", "two <b>\n"}[i])
		must(t, err)
		b.until(`document.querySelector("#log").textContent === %q`, want)
	}
	b.click("#step-2")
	b.until(`document.querySelector("#log").textContent === "log of 2\nsecond line\n"`)
	for { // the request is given up, which closes the log
		if _, err := io.WriteString(w, "more\n"); err != nil {
			break
		}
	}
	wantEqual(t, "the other log", b.text("#log"), "log of 2\nsecond line\n")
	b.quiet()
}

// TestLogBegins shows that the log of the chosen step is seen once the step begins.
func TestLogBegins(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	u := h.board.StartBuild(steps(1)...)
	h.logs <- io.NopCloser(strings.NewReader("of the build before\n"))
	b.open(h.address)
	b.until(`document.querySelector("#step-0")`)
	b.click("#step-0")
	b.until(`document.querySelector("#log").textContent === "of the build before\n"`)
	must(t, u.SetStep(0, buildabi.Running))
	b.until(`document.querySelector("#log").textContent === "log of 0\nsecond line\n"`)
	b.quiet()
}

// TestLogOddities shows what is seen where there is no log, one that is empty, one too long or one cut short.
func TestLogOddities(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	h.board.StartBuild(steps(4)...)
	b.open(h.address)
	b.until(`document.querySelector("#step-3")`)
	for i, c := range []struct {
		log  io.ReadCloser
		want string
	}{
		{nil, `"This step has no log."`},
		{io.NopCloser(strings.NewReader("")), `"Nothing printed."`},
		{io.NopCloser(strings.NewReader(strings.Repeat("x", 3<<20) + "last")), `"x".repeat((1 << 20) - 4) + "last"`},
	} {
		h.logs <- c.log
		b.click(fmt.Sprintf("#step-%d", i))
		b.until(`document.querySelector("#log").textContent === %s`, c.want)
	}
	h.logs <- io.NopCloser(io.MultiReader(strings.NewReader("half"), cut{}))
	b.click("#step-3")
	b.until(`document.querySelector("#log").textContent.endsWith("\n(the log ends here: network error)")`)
	b.quiet("404", "ERR_INCOMPLETE_CHUNKED_ENCODING")
}

// cut is a log that ends its connection.
type cut struct{}

func (cut) Read([]byte) (int, error) { panic(http.ErrAbortHandler) }

// scrolled says where a log is seen.
const scrolled = `(() => {
	const log = document.querySelector("#log");
	const rest = log.scrollHeight - log.clientHeight;
	return rest < 1000 ? "short" : log.scrollTop === 0 ? "top" : rest - log.scrollTop < 2 ? "end" : "between";
})()`

// TestLogScrolls shows that the log of a step that runs is followed, unless the user has scrolled
// away from its end, and that another is seen from its first line, where the first error is.
func TestLogScrolls(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	u := h.board.StartBuild(steps(2)...)
	must(t, u.SetStep(0, buildabi.Failure), u.SetStep(1, buildabi.Running))
	b.open(h.address)
	b.until(`document.querySelector("#step-1")`)
	long := strings.Repeat("line\n", 300)
	h.logs <- io.NopCloser(strings.NewReader(long))
	b.click("#step-0")
	b.until(`%s === "top"`, scrolled)
	r, w := io.Pipe()
	defer w.Close()
	h.logs <- r
	b.click("#step-1")
	for _, c := range []struct{ scroll, want string }{{"", "end"}, {"", "end"}, {"300", "between"}, {"1e6", "end"}} {
		if c.scroll != "" {
			b.run(nil, `document.querySelector("#log").scrollTop = %s`, c.scroll)
		}
		_, err := io.WriteString(w, long+"last")
		must(t, err)
		b.until(`document.querySelector("#log").textContent.endsWith("last") && (%s) === %q`, scrolled, c.want)
		_, err = io.WriteString(w, "\n")
		must(t, err)
		b.until(`document.querySelector("#log").textContent.endsWith("last\n")`)
	}
	b.quiet()
}

// TestLogControls shows that what a tool says to a terminal is not shown, even if it comes in parts.
func TestLogControls(t *testing.T) {
	b := launch(t)
	h := startHost(t, buildabi.V3, "127.0.0.1:0")
	u := h.board.StartBuild(steps(1)...)
	must(t, u.SetStep(0, buildabi.Running))
	b.open(h.address)
	b.until(`document.querySelector("#step-0")`)
	r, w := io.Pipe()
	defer w.Close()
	h.logs <- r
	b.click("#step-0")
	for _, c := range []struct{ printed, want string }{{"\x1b[1;31merror\x1b[0m: ", "error: "},
		{"in \x1b", "error: in "}, {"[3", "error: in "}, {"2mfile\x1b[K", "error: in file"}} {
		_, err := io.WriteString(w, c.printed)
		must(t, err)
		b.until(`document.querySelector("#log").textContent === %q`, c.want)
	}
	must(t, u.SetStep(0, buildabi.Success))
	b.until(`document.querySelector("#step-0 .state").innerText === "done"`)
	wantEqual(t, "the log of the step that has ended", b.text("#log"), "error: in file") // not read again
	b.quiet()
}
