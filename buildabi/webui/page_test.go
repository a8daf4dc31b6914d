package webui_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
)

// get asks a handler for a path.
func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	return w
}

// TestPage shows that every file of the page is served, as what it is and under the policy.
func TestPage(t *testing.T) {
	types := map[string]string{".html": "text/html", ".js": "application/javascript",
		".css": "text/css", ".svg": "image/svg+xml"}
	h := webui.Handler(buildabi.NewBoard(nil), nil)
	files, err := fs.Glob(os.DirFS("page"), "*")
	must(t, err)
	if len(files) < 10 {
		t.Fatalf("only %q", files)
	}
	for _, name := range append(files, "", "debug/main.js") {
		want := types[".html"]
		if name != "" {
			want = types[name[strings.LastIndex(name, "."):]]
		}
		w := get(h, "/"+name)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != want {
			t.Errorf("%s: %d, %s", name, w.Code, got)
		}
		for header, part := range map[string]string{
			"Content-Security-Policy": "default-src 'none'",
			"Referrer-Policy":         "no-referrer", "X-Content-Type-Options": "nosniff",
		} {
			if got := w.Header().Get(header); !strings.Contains(got, part) ||
				strings.Contains(got, "unsafe") {
				t.Errorf("%s: %s: %q", name, header, got)
			}
		}
	}
}

// TestPageIsOurs shows that the page asks for nothing elsewhere and has nothing inline, which the
// policy would forbid.
func TestPageIsOurs(t *testing.T) {
	address := regexp.MustCompile(`https?://[^"']*|url\(`)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script[^>]*>[^<]`)
	link := regexp.MustCompile(`(?:from|src=|href=)\s*"(?:\./)?([^"]+)"`)
	files := os.DirFS("page")
	must(t, fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		for _, found := range address.FindAllString(string(b), -1) {
			if found != "http://www.w3.org/2000/svg" {
				t.Errorf("%s: %s", name, found)
			}
		}
		if found := inline.FindString(string(b)); strings.HasSuffix(name, ".html") && found != "" {
			t.Errorf("%s: %q", name, found)
		}
		for _, to := range link.FindAllStringSubmatch(string(b), -1) {
			if _, err := fs.Stat(files, to[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		return err
	}))
}

// TestOtherPage shows that a host's own page is under no policy of ours.
func TestOtherPage(t *testing.T) {
	h := webui.Handler(buildabi.NewBoard(nil), &buildabi.HandlerOptions{
		Files: fstest.MapFS{"index.html": {Data: []byte("mine")}}})
	w := get(h, "/")
	if w.Body.String() != "mine" || w.Header().Get("Content-Security-Policy") != "" {
		t.Errorf("%q, %v", w.Body, w.Header())
	}
	if w := get(h, "/main.js"); w.Code != 404 {
		t.Errorf("main.js: %d", w.Code)
	}
}
