//go:build long

package webui_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

var browserPath = flag.String("browser", "", "the Chromium to test with; by default one on PATH")

// browser is a Chromium with one tab, driven over its DevTools protocol.
type browser struct {
	t       testing.TB
	ws      *websocket.Conn
	session string

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	errors  []string // what the console showed
}

type answer struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

// launch starts the browser; it ends with the test.
func launch(t testing.TB) *browser {
	t.Helper()
	path, err := *browserPath, error(nil)
	if path == "" {
		if path, err = exec.LookPath("chromium"); err != nil {
			t.Skip("no chromium on PATH; -browser names another")
		}
	}
	args := []string{"--headless=new", "--remote-debugging-port=0", "--user-data-dir=" + profile(t),
		"--no-first-run", "--disable-gpu", "--disable-background-networking", "about:blank"}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // which root cannot have
	}
	cmd := exec.Command(path, args...)
	stderr, err := cmd.StderrPipe()
	must(t, err, cmd.Start())
	address, drained := make(chan string, 1), make(chan struct{})
	go func() { // until the browser has ended
		defer close(drained)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if _, found, ok := strings.Cut(lines.Text(), "DevTools listening on "); ok {
				address <- found
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-drained
		cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case a := <-address:
		return connect(ctx, t, a)
	case <-ctx.Done():
		t.Fatal("the browser does not listen")
		return nil
	}
}

// profile returns a folder that is removed as far as that goes: the browser's own processes may
// write into it for a moment after it has ended.
func profile(t testing.TB) string {
	dir, err := os.MkdirTemp("", "larder-browser-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func connect(ctx context.Context, t testing.TB, address string) *browser {
	t.Helper()
	ws, _, err := websocket.Dial(ctx, address, nil)
	must(t, err)
	ws.SetReadLimit(-1)
	b := &browser{t: t, ws: ws, waiting: map[int]chan answer{}}
	done := make(chan struct{})
	go func() { // until the connection is closed
		defer close(done)
		b.read()
	}()
	t.Cleanup(func() {
		ws.CloseNow()
		<-done
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", object{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Accessibility", "DOM"} {
		b.call(domain+".enable", nil, nil)
	}
	b.size(1280, 800)
	return b
}

type object = map[string]any

// read takes answers and events until the connection ends.
func (b *browser) read() {
	for {
		_, text, err := b.ws.Read(context.Background())
		b.mu.Lock()
		if err != nil {
			for _, waiting := range b.waiting {
				close(waiting)
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		var a answer
		if json.Unmarshal(text, &a) == nil {
			b.take(a)
		}
		b.mu.Unlock()
	}
}

// take hands an answer to its caller, and keeps what the console says of errors.
func (b *browser) take(a answer) {
	var event struct {
		Type  string
		Entry struct{ Level, Text, URL string }
	}
	json.Unmarshal(a.Params, &event) // other events have none of these
	switch {
	case a.ID != 0:
		b.waiting[a.ID] <- a
		delete(b.waiting, a.ID)
	case a.Method == "Runtime.exceptionThrown",
		a.Method == "Runtime.consoleAPICalled" && event.Type != "log",
		a.Method == "Log.entryAdded" && event.Entry.Level == "error":
		b.errors = append(b.errors, string(a.Params))
	}
}

// call calls a method of the protocol.
func (b *browser) call(method string, params object, result any) {
	b.t.Helper()
	b.mu.Lock()
	b.last++
	id, reply := b.last, make(chan answer, 1)
	if b.waiting == nil {
		b.mu.Unlock()
		b.t.Fatalf("%s: the browser has gone", method)
	}
	b.waiting[id] = reply
	b.mu.Unlock()
	message := object{"id": id, "method": method, "params": params}
	if b.session != "" {
		message["sessionId"] = b.session
	}
	text, err := json.Marshal(message)
	must(b.t, err, b.ws.Write(b.t.Context(), websocket.MessageText, text))
	a, ok := <-reply
	switch {
	case !ok:
		b.t.Fatalf("%s: the browser has gone", method)
	case a.Error != nil:
		b.t.Fatalf("%s: %s", method, a.Error.Message)
	case result != nil:
		must(b.t, json.Unmarshal(a.Result, result))
	}
}

// run evaluates an expression in the page, waits if it is a promise, and stores what it gives.
func (b *browser) run(result any, expression string, args ...any) {
	b.t.Helper()
	expression = fmt.Sprintf(expression, args...)
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description, Value string }
		}
	}
	b.call("Runtime.evaluate", object{
		"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	if e := r.ExceptionDetails; e != nil {
		b.t.Fatalf("%s: %s %s", expression, e.Exception.Description, e.Exception.Value)
	}
	if result != nil {
		must(b.t, json.Unmarshal(r.Result.Value, result))
	}
}

// until waits until an expression holds in the page.
func (b *browser) until(condition string, args ...any) {
	b.t.Helper()
	condition = fmt.Sprintf(condition, args...)
	b.run(nil, `new Promise((resolve, reject) => {
		const end = performance.now() + 30_000;
		const look = () => {
			if (%s) resolve();
			else if (performance.now() > end) reject(%q + " in:\n" + document.body.innerText.slice(0, 1500));
			else setTimeout(look, 10);
		};
		look();
	})`, condition, "never "+condition)
}

// text returns what a reader sees of an element.
func (b *browser) text(selector string) (text string) {
	b.t.Helper()
	b.run(&text, `document.querySelector(%q).innerText`, selector)
	return text
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.run(nil, `document.querySelector(%q).click()`, selector)
}

// key presses a key as a user does.
func (b *browser) key(key string) {
	b.t.Helper()
	press := object{"type": "keyDown", "key": key}
	switch {
	case len(key) == 1:
		press["text"] = key
	case key == "Enter":
		press["text"] = "\r"
	}
	b.call("Input.dispatchKeyEvent", press, nil)
	b.call("Input.dispatchKeyEvent", object{"type": "keyUp", "key": key}, nil)
}

func (b *browser) size(width, height int) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", object{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

func (b *browser) open(address string) {
	b.t.Helper()
	b.call("Page.navigate", object{"url": "http://" + address + "/"}, nil)
	b.until(`document.readyState === "complete" && document.querySelector("#connection")`)
}

// keep stores a picture of the page with the test's artifacts.
func (b *browser) keep(name string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", nil, &shot)
	picture, err := base64.StdEncoding.DecodeString(shot.Data)
	must(b.t, err, os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), picture, 0o666))
}

// quiet fails the test if the console has shown an error, other than those with a given text.
func (b *browser) quiet(except ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, e := range b.errors {
		for _, known := range except {
			if strings.Contains(e, known) {
				continue next
			}
		}
		b.t.Errorf("console: %s", e)
	}
}
