package buildabi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// page is what a host gives to be served.
func page() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"index.html": file("page"), "main.js": file("script"), "style.css": file("style"),
		"time_report.css": file("more style"), "main.wasm": file("fast"),
		"debug/main.wasm": file("strict"), "secret.txt": file("secret"),
		"folder.js/x.js": file("inner"), "icon.svg": file("icon"), "shot.png": file("shot"),
	}
}

// get sends a request to a handler. The header is a list of names and values.
func get(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPaths(t *testing.T) {
	const cache = "max-age=0, must-revalidate"
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page()})
	for _, c := range []struct {
		target     string
		code       int
		kind, body string
	}{
		{"/", 200, "text/html", "page"},
		{"/index.html", 200, "text/html", "page"},
		{"/main.js", 200, "application/javascript", "script"},
		{"/style.css", 200, "text/css", "style"},
		{"/time_report.css", 200, "text/css", "more style"},
		{"/main.wasm", 200, "application/wasm", "fast"},
		{"/debug/", 200, "text/html", "page"},
		{"/debug/main.js", 200, "application/javascript", "script"},
		{"/debug/main.wasm", 200, "application/wasm", "strict"},
		{"/folder.js/x.js", 200, "application/javascript", "inner"},
		{"/icon.svg", 200, "image/svg+xml", "icon"},
		{"/shot.png", 200, "image/png", "shot"},
		{"/folder.js", 500, "text/plain", "cannot read folder.js"},
		{"/sources.tar", 404, "text/plain", "not found"},
		{"/steps/0/log", 404, "text/plain", "not found"},
		{"/none.js", 404, "text/plain", "not found"},
		{"/secret.txt", 404, "text/plain", "not found"},
		{"/../main.js", 404, "text/plain", "not found"},
		{"//main.js", 404, "text/plain", "not found"},
	} {
		w := get(h, "GET", c.target)
		if w.Code != c.code || w.Header().Get("Content-Type") != c.kind || w.Body.String() != c.body {
			t.Errorf("%s: %d, %q, %q", c.target, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		want := cache
		if c.code != 200 {
			want = ""
		}
		if got := w.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q, want %q", c.target, got, want)
		}
	}
}

// TestPrefix serves below a path.
func TestPrefix(t *testing.T) {
	for _, prefix := range []string{"/a/b/", "/a/b", "a/b"} {
		h := buildabi.NewHandler(buildabi.NewBoard(nil),
			&buildabi.HandlerOptions{Files: page(), Prefix: prefix})
		for target, want := range map[string]string{
			"/a/b/": "page", "/a/b/main.js": "script", "/a/b/debug/main.wasm": "strict",
			"/": "not found", "/main.js": "not found", "/a/bc/main.js": "not found",
		} {
			if got := get(h, "GET", target).Body.String(); got != want {
				t.Errorf("prefix %q: %s is %q, want %q", prefix, target, got, want)
			}
		}
		for target, want := range map[string]string{"/a/b": "/a/b/", "/a/b/debug": "/a/b/debug/"} {
			w := get(h, "GET", target)
			if w.Code != 307 || w.Header().Get("Location") != want {
				t.Errorf("prefix %q: %s: %d, to %q", prefix, target, w.Code, w.Header().Get("Location"))
			}
		}
	}
}

func TestMethods(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page()})
	if w := get(h, "HEAD", "/main.js"); w.Code != 200 || w.Body.Len() > 0 ||
		w.Header().Get("Content-Length") != "6" {
		t.Errorf("HEAD: %d, %v, %q", w.Code, w.Header(), w.Body)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if w := get(h, method, "/main.js"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, %v", method, w.Code, w.Header())
		}
	}
}

// TestPlainWriter serves through a host's own kind of response, which can only be written to.
func TestPlainWriter(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: make([]byte, 100_000)}}
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: files})
	for target, want := range map[string]int{"/": 100_000, "/none": len("not found")} {
		w := httptest.NewRecorder()
		h.ServeHTTP(struct{ http.ResponseWriter }{w},
			httptest.NewRequest("GET", "http://localhost"+target, nil))
		if w.Body.Len() != want {
			t.Errorf("%s: %d bytes, want %d", target, w.Body.Len(), want)
		}
	}
}

// TestFilesAreReadEachTime edits a file between two requests.
func TestFilesAreReadEachTime(t *testing.T) {
	files := page()
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: files})
	get(h, "GET", "/main.js")
	files["main.js"].Data = []byte("new script")
	if got := get(h, "GET", "/main.js").Body.String(); got != "new script" {
		t.Errorf("served %q", got)
	}
	delete(files, "debug/main.wasm")
	if got := get(h, "GET", "/debug/main.wasm").Body.String(); got != "fast" {
		t.Errorf("without a strict build served %q", got)
	}
}

// badFiles fail to be read.
type badFiles struct{}

func (badFiles) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestUnreadableFile(t *testing.T) {
	var log strings.Builder
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: badFiles{},
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	w := get(h, "GET", "/")
	cached := w.Header().Get("Cache-Control") != ""
	if w.Code != 500 || w.Body.String() != "cannot read index.html" || cached {
		t.Errorf("%d, %q, %v", w.Code, w.Body, w.Header())
	}
	if !strings.Contains(log.String(), "permission denied") {
		t.Errorf("logged %q", log.String())
	}
}

// TestPathOutside asks a folder of the disk for a file beside it.
func TestPathOutside(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil),
		&buildabi.HandlerOptions{Files: os.DirFS(t.TempDir())})
	for _, target := range []string{"/../main.js", "//main.js", "/none.js"} {
		if w := get(h, "GET", target); w.Code != 404 {
			t.Errorf("%s: %d, %q", target, w.Code, w.Body)
		}
	}
}

// bigFile is a file system of one file, which tells what was done with it.
type bigFile struct {
	fs.File
	left, read, closed int
}

func (f *bigFile) Open(string) (fs.File, error) { return f, nil }

func (f *bigFile) Read(p []byte) (int, error) {
	n := min(len(p), f.left)
	if n == 0 {
		return 0, io.EOF
	}
	f.left, f.read = f.left-n, f.read+n
	return n, nil
}

func (f *bigFile) Close() error {
	f.closed++
	return nil
}

// TestBigFile shows that no more of a file is read than is served at most, and that it is closed.
func TestBigFile(t *testing.T) {
	const most = 64 << 20
	for size, code := range map[int]int{100: 200, most + 2: 500} {
		f := &bigFile{left: size}
		h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: f})
		w := get(h, "GET", "/")
		if w.Code != code || f.read > most+1 || f.closed != 1 {
			t.Errorf("%d bytes: %d, %d read, %d times closed", size, w.Code, f.read, f.closed)
		}
	}
}

// TestNothingGiven serves a board without any option.
func TestNothingGiven(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil), nil)
	for _, target := range []string{"/", "/main.wasm", "/sources.tar", "/steps/0/log"} {
		if w := get(h, "GET", target); w.Code != 404 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
	if w := get(h, "GET", "/", "Upgrade", "websocket"); w.Code != 501 {
		t.Errorf("WebSocket: %d", w.Code)
	}
}

func TestUpgrade(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page(),
		Prefix: "/p/", Connect: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "connected")
		})})
	for _, c := range []struct {
		name, method, target string
		header               []string
		code                 int
		body                 string
	}{
		{"page's path", "GET", "/p/", nil, 200, "connected"},
		{"any path", "GET", "/p/any/thing", nil, 200, "connected"},
		{"below debug", "GET", "/p/debug/", nil, 200, "connected"},
		{"capitals", "GET", "/p/", []string{"Upgrade", "WebSocket"}, 200, "connected"},
		{"outside", "GET", "/", nil, 404, "not found"},
		{"other protocol", "GET", "/p/", []string{"Upgrade", "h2c"}, 200, "page"},
		{"method", "HEAD", "/p/", nil, 200, ""},
		{"other origin", "GET", "/p/", []string{"Origin", "http://evil.example"}, 403,
			"not for pages of another origin: add it to HandlerOptions.Origins"},
	} {
		header := append([]string{"Upgrade", "websocket"}, c.header...)
		if w := get(h, c.method, c.target, header...); w.Code != c.code || w.Body.String() != c.body {
			t.Errorf("%s: %d, %q", c.name, w.Code, w.Body)
		}
	}
}

// TestUpgradeOldProtocol shows that HTTP/1.0 gets the file: it has no upgrades.
func TestUpgradeOldProtocol(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page(),
		Connect: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("connected") })})
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.Header.Set("Upgrade", "websocket")
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Body.String() != "page" {
		t.Errorf("%d, %q", w.Code, w.Body)
	}
}

// TestCompile shows that requests at the same time share one call, and that the next one is new.
func TestCompile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		calls := map[bool]int{}
		h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{
			Files: page(), Compile: func(ctx context.Context, debug bool) ([]byte, error) {
				mu.Lock()
				calls[debug]++
				mu.Unlock()
				time.Sleep(time.Second)
				if debug {
					return nil, errors.New("main.zig:3:5: error")
				}
				return []byte("wasm"), ctx.Err()
			}})
		for round := 1; round <= 2; round++ {
			answers, strict := make(chan *httptest.ResponseRecorder), make(chan *httptest.ResponseRecorder)
			for range 5 {
				go func() { answers <- get(h, "GET", "/main.wasm") }()
			}
			go func() { strict <- get(h, "GET", "/debug/main.wasm") }()
			for range 5 {
				w := <-answers
				if w.Code != 200 || w.Body.String() != "wasm" ||
					w.Header().Get("Content-Type") != "application/wasm" {
					t.Errorf("%d, %q", w.Code, w.Body)
				}
			}
			w := <-strict
			if w.Code != 500 || w.Body.String() != "main.zig:3:5: error" {
				t.Errorf("debug: %d, %q", w.Code, w.Body)
			}
			if calls[false] != round || calls[true] != round {
				t.Errorf("round %d: %v calls", round, calls)
			}
		}
	})
}

// TestCompileLeft shows that a call goes on for those who still wait, is cancelled for nobody, and
// is not joined then.
func TestCompileLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 9)
		h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{
			Compile: func(ctx context.Context, _ bool) ([]byte, error) {
				select {
				case <-ctx.Done():
					time.Sleep(time.Second) // it takes a while to end
				case <-time.After(10 * time.Second):
				}
				ended <- ctx.Err()
				return []byte("wasm"), ctx.Err()
			}})
		request := func(patience time.Duration) chan int {
			done := make(chan int)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				w := httptest.NewRecorder()
				r := httptest.NewRequestWithContext(ctx, "GET", "http://localhost/main.wasm", nil)
				h.ServeHTTP(w, r)
				done <- w.Code
			}()
			return done
		}
		first := request(time.Second)
		synctest.Wait() // it is the first that leaves
		second := request(time.Minute)
		if a, b := <-first, <-second; a != 500 || b != 200 || <-ended != nil {
			t.Errorf("one left: %d, the other got %d", a, b)
		}
		if code := <-request(time.Second); code != 500 {
			t.Errorf("one that left got %d", code)
		}
		third := request(time.Minute)
		time.Sleep(2 * time.Second) // the call that was left has ended
		fourth := request(time.Minute)
		if a, b := <-third, <-fourth; a != 200 || b != 200 {
			t.Errorf("those that came after it got %d and %d", a, b)
		}
		if a, b := <-ended, <-ended; a == nil || b != nil || len(ended) > 0 {
			t.Errorf("the calls ended with %v, %v, and %d more", a, b, len(ended))
		}
	})
}

// TestCompileFails shows that a hook that does not return fails the requests that wait for it, and nothing else.
func TestCompileFails(t *testing.T) {
	for name, fail := range map[string]func(){"panic": func() { panic("no disk") }, "exit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			failing := true
			h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{
				Compile: func(context.Context, bool) ([]byte, error) {
					if failing {
						fail()
					}
					return []byte("wasm"), nil
				}})
			func() {
				defer func() {
					if v := recover(); (v != nil) != (name == "panic") || v != nil && !strings.Contains(fmt.Sprint(v), "no disk") {
						t.Errorf("the request panics with %v", v)
					}
				}()
				if w := get(h, "GET", "/main.wasm"); w.Code != 500 {
					t.Errorf("%d, %q", w.Code, w.Body)
				}
			}()
			failing = false
			if w := get(h, "GET", "/main.wasm"); w.Code != 200 || w.Body.String() != "wasm" {
				t.Errorf("then %d, %q", w.Code, w.Body)
			}
		})
	}
}

func TestAdmission(t *testing.T) {
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page(),
		Hosts: []string{"Build.example", "[FE80::1]"}, Origins: []string{"https://ci.example"}})
	for _, c := range []struct {
		name   string
		header []string
		code   int
	}{
		{"localhost", nil, 200},
		{"without port", []string{"Host", "localhost"}, 200},
		{"capitals", []string{"Host", "LocalHost:1"}, 200},
		{"IPv4", []string{"Host", "127.0.0.1:1"}, 200},
		{"IPv6", []string{"Host", "[::1]:1"}, 200},
		{"IPv6 without port", []string{"Host", "[::1]"}, 200},
		{"given", []string{"Host", "build.example:1"}, 200},
		{"given IPv6", []string{"Host", "[fe80::1]:1"}, 200},
		{"rebound name", []string{"Host", "evil.example:8080"}, 403},
		{"name with ours in it", []string{"Host", "localhost.evil.example"}, 403},
		{"no host", []string{"Host", ""}, 403},
		{"own origin", []string{"Origin", "http://localhost:8080"}, 200},
		{"own origin, TLS before us", []string{"Origin", "https://LOCALHOST:8080"}, 200},
		{"given origin", []string{"Origin", "https://ci.example"}, 200},
		{"other port", []string{"Origin", "http://localhost:8081"}, 403},
		{"other origin", []string{"Origin", "http://evil.example"}, 403},
		{"hidden origin", []string{"Origin", "null"}, 403},
		{"broken origin", []string{"Origin", "http://local host"}, 403},
		{"empty origin", []string{"Origin", ""}, 403},
		{"own page", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "no-cors"}, 200},
		{"address typed in", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200},
		{"link in another page", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"image in another page", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"image in a page of another port", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"given origin, other site", []string{"Origin", "https://ci.example", "Sec-Fetch-Site", "cross-site"}, 200},
	} {
		if w := get(h, "GET", "/", c.header...); w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.code)
		}
	}
	for option, header := range map[string][]string{
		"HandlerOptions.Hosts":   {"Host", "laptop.local"},
		"HandlerOptions.Origins": {"Origin", "http://other.example"},
	} {
		if w := get(h, "GET", "/", header...); !strings.Contains(w.Body.String(), option) {
			t.Errorf("%v: %q does not say what to do", header, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.Header["Origin"] = []string{"http://localhost", "http://evil.example"}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("of two origins: %d", w.Code)
	}
}

func TestToken(t *testing.T) {
	const token = "open sesame"
	h := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Files: page(),
		Token: token, Prefix: "/p/"})
	for _, target := range []string{"/p/", "/p/?token=", "/p/?token=open", "/p/?token=open+sesame!"} {
		if w := get(h, "GET", target); w.Code != 403 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, %v", target, w.Code, w.Header())
		}
	}
	w := get(h, "GET", "/p/?token=open+sesame")
	cookies := w.Result().Cookies()
	if w.Code != 200 || len(cookies) != 1 {
		t.Fatalf("with the token: %d, %v", w.Code, cookies)
	}
	c := cookies[0]
	if strings.Contains(c.Value, "sesame") {
		t.Errorf("the cookie tells the token: %v", c)
	}
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/p/" {
		t.Errorf("cookie %v", c)
	}
	if w := get(h, "GET", "/p/main.js", "Cookie", c.Name+"="+c.Value); w.Code != 200 ||
		w.Header().Get("Set-Cookie") != "" {
		t.Errorf("with the cookie: %d, %v", w.Code, w.Header())
	}
	if w := get(h, "GET", "/p/", "Cookie", c.Name+"="+c.Value+"0"); w.Code != 403 {
		t.Errorf("with another cookie: %d", w.Code)
	}
	other := buildabi.NewHandler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{Token: "x"})
	if got := get(other, "GET", "/?token=x").Result().Cookies()[0].Name; got == c.Name {
		t.Error("two servers share the name of a cookie")
	}
}
