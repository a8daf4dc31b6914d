package buildabi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// The tests of this file are named after the hazards that the reference server has over HTTP; see
// hazards_test.go for the others.

// TestH13 is about connections: their limit, their times, and accepts that fail.
func TestH13(t *testing.T) {
	t.Run("limit", TestConnectionLimit)
	t.Run("times", TestTimeouts)
	t.Run("accept", TestAcceptErrors)
}

// TestH14 asks as a page elsewhere in the browser would.
func TestH14(t *testing.T) {
	b := fuzzing(t, "", "a.zig")
	h := buildabi.NewHandler(b, &buildabi.HandlerOptions{Files: page(),
		Sources: sourceFS(fstest.MapFS{"a.zig": {Data: []byte("secret")}}),
		Connect: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("connected") })})
	for name, w := range map[string]*httptest.ResponseRecorder{
		"click":   get(h, "GET", "/", "Upgrade", "websocket", "Origin", "http://evil.example"),
		"sources": get(h, "GET", "/sources.tar", "Host", "rebound.example:8080"),
	} {
		if w.Code != 403 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestH15 shuts down with clients of all kinds: everything ends, in order.
func TestH15(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := buildabi.NewBoard(nil)
		b.StartBuild("a")
		ended := make(chan error, 1)
		h := buildabi.NewHandler(b, &buildabi.HandlerOptions{Files: page(),
			Connect: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				must(t, err)
				err = b.Serve(r.Context(), sink{})
				conn.Close()
				time.Sleep(time.Minute)
				ended <- err
			})})
		p, stop := serveBubble(t, h, nil)
		live, idle := p.dial(), p.dial()
		_, err := io.WriteString(live, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n")
		must(t, err)
		synctest.Wait()
		stop()
		if len(ended) != 1 {
			t.Error("serving has ended before the session")
		}
		live.Close()
		idle.Close()
	})
}

// TestH16 upgrades with an Expect header, which ends Zig's build runner.
func TestH16(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page(),
		Connect: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("connected") })})
	address := serve(t, h)
	for _, expect := range []string{"100-continue", "something"} {
		lines, _ := exchange(t, address, "GET / HTTP/1.1\nHost: localhost\nUpgrade: websocket\n"+
			"Connection: upgrade\nExpect: "+expect+"\n\n", 1)
		if lines[0] != "417 Expectation Failed" {
			t.Errorf("Expect: %s: answered %q", expect, lines)
		}
	}
}

// TestH17 asks for the client many times at once.
func TestH17(t *testing.T) { t.Run("compile", TestCompile) }

// TestSourcesFirstPath shows that the first name of sources.tar is not doubled, as Zig's is.
func TestSourcesFirstPath(t *testing.T) {
	files := fstest.MapFS{"mnt/demo/src/root.zig": {Data: []byte("root")}}
	h := buildabi.NewHandler(fuzzing(t, "/mnt/demo/src", "root.zig"),
		&buildabi.HandlerOptions{Sources: sourceFS(files)})
	checkTar(t, get(h, "GET", "/sources.tar").Body.Bytes(), []string{"/mnt/demo/src/root.zig=root"})
}
