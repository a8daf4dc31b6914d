package buildabi_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/larderbuild/larder/buildabi"
)

// fuzzing returns a board that fuzzes files of these directories and names.
func fuzzing(t *testing.T, names ...string) *buildabi.Board {
	t.Helper()
	b := buildabi.NewBoard(nil)
	f, err := b.StartBuild("a").StartFuzz()
	must(t, err)
	var index buildabi.SourceIndex
	for i := 0; i < len(names); i += 2 {
		index.AddFile(names[i], names[i+1])
	}
	must(t, f.SetIndex(&index))
	return b
}

// sourceFS opens sources in a file system without the leading slash.
func sourceFS(files fs.FS) func(directory, basename string) (fs.File, error) {
	return func(directory, basename string) (fs.File, error) {
		return files.Open(strings.TrimPrefix(directory+"/"+basename, "/"))
	}
}

func TestSources(t *testing.T) {
	modified := time.Unix(1_700_000_000, 5e8)
	long := strings.Repeat("long", 50)
	files := fstest.MapFS{
		"p/src/root.zig":     {Data: bytes.Repeat([]byte("x"), 700), ModTime: modified},
		"p/src/" + long:      {Data: []byte("long")},
		"z/ü.zig":            {Data: []byte("umlaut")},
		"p/src/empty.zig":    {ModTime: time.Unix(-1, 0)}, // which an archive cannot say
		"p/folder/inner.zig": {Data: []byte("inner")},
		"noroot.zig":         {Data: []byte("no root")},
	}
	b := fuzzing(t, "/z", "ü.zig", "/p/src", "root.zig", "/p/src", "gone.zig", "/p", "folder",
		"/p/src", long, "/p/src", "empty.zig", "/p/src", "", "/p/src", strings.Repeat("n", 1100),
		"", "noroot.zig")
	var log strings.Builder
	h := buildabi.NewHandler(b, &buildabi.HandlerOptions{Sources: sourceFS(files),
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	w := get(h, "GET", "/sources.tar")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-tar" ||
		w.Header().Get("Cache-Control") != "max-age=0, must-revalidate" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
	checkTar(t, w.Body.Bytes(), []string{"/z/ü.zig=umlaut",
		"/p/src/root.zig=" + strings.Repeat("x", 700), "/p/src/" + long + "=long", "/p/src/empty.zig=",
		"/noroot.zig=no root"})
	for _, skipped := range []string{"gone.zig", "folder", "nnnn", `name=""`} {
		if !strings.Contains(log.String(), skipped) {
			t.Errorf("%s was skipped and not reported", skipped)
		}
	}
	if strings.Count(log.String(), "\n") != 4 {
		t.Errorf("reported\n%s", log.String())
	}
	if w := get(h, "HEAD", "/sources.tar"); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// checkTar compares an archive, which has no blocks at its end.
func checkTar(t *testing.T, b []byte, want []string) {
	t.Helper()
	if len(b)%512 != 0 || len(b) >= 1024 && bytes.Equal(b[len(b)-1024:], make([]byte, 1024)) {
		t.Errorf("%d bytes, or blocks at the end", len(b))
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if header.Mode != 0o664 || header.Uid != 0 || header.Typeflag != tar.TypeReg {
			t.Errorf("%s: mode %o, user %d", header.Name, header.Mode, header.Uid)
		}
		if header.Name == "/p/src/root.zig" && header.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("time %v", header.ModTime)
		}
		got = append(got, header.Name+"="+string(text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the archive has\n%q, want\n%q", got, want)
	}
}

// liar has another size than it says.
type liar struct {
	fs.File
	io.Reader
}

func (l liar) Read(p []byte) (int, error) { return l.Reader.Read(p) }

// TestSourcesChangeSize serves files that shrink, grow or fail under the hand.
func TestSourcesChangeSize(t *testing.T) {
	files := fstest.MapFS{"shrunk": {Data: make([]byte, 6)}, "grown": {Data: make([]byte, 3)},
		"broken": {Data: make([]byte, 4)}, "good": {Data: []byte("good")}}
	readers := map[string]io.Reader{"shrunk": strings.NewReader("abc"),
		"grown": strings.NewReader("abcdef"), "good": strings.NewReader("good"),
		"broken": io.MultiReader(strings.NewReader("ab"), failing{})}
	var log strings.Builder
	h := buildabi.NewHandler(fuzzing(t, "", "shrunk", "", "grown", "", "broken", "", "good"),
		&buildabi.HandlerOptions{Sources: func(_, basename string) (fs.File, error) {
			f, err := files.Open(basename)
			return liar{f, readers[basename]}, err
		}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	checkTar(t, get(h, "GET", "/sources.tar").Body.Bytes(),
		[]string{"/shrunk=abc\x00\x00\x00", "/grown=abc", "/broken=ab\x00\x00", "/good=good"})
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "name=broken") {
		t.Errorf("reported\n%s", got)
	}
}

// TestSourcesNames shows how long the name of a file may be, for a client has room for 1024 bytes.
func TestSourcesNames(t *testing.T) {
	fits, over := strings.Repeat("n", 1024-len("/d/")), strings.Repeat("o", 1025-len("/d/"))
	files := fstest.MapFS{"d/" + fits: {}, "d/" + over: {}}
	h := buildabi.NewHandler(fuzzing(t, "/d", fits, "/d", over),
		&buildabi.HandlerOptions{Sources: sourceFS(files)})
	checkTar(t, get(h, "GET", "/sources.tar").Body.Bytes(), []string{"/d/" + fits + "="})
}

// closing counts in and out.
type closing struct {
	fs.File
	open *int
}

func (c closing) Close() error {
	*c.open--
	return c.File.Close()
}

// TestSourcesClosed shows that files are closed, and not opened for a client that has left.
func TestSourcesClosed(t *testing.T) {
	files := fstest.MapFS{"a": {}, "b": {Mode: fs.ModeDir}, "c": {}}
	ctx, leave := context.WithCancel(t.Context())
	opened, open := 0, 0
	h := buildabi.NewHandler(fuzzing(t, "", "a", "", "b", "", "c"),
		&buildabi.HandlerOptions{Sources: func(_, basename string) (fs.File, error) {
			opened++
			open++
			if basename == "b" {
				leave()
			}
			f, err := files.Open(basename)
			return closing{f, &open}, err
		}})
	h.ServeHTTP(httptest.NewRecorder(),
		httptest.NewRequestWithContext(ctx, "GET", "http://localhost/sources.tar", nil))
	if opened != 2 || open != 0 {
		t.Errorf("%d files opened, %d of them open still", opened, open)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errLeft }
func (failing) Close() error             { return errLeft }

// TestSourcesWhen shows that there are sources only while there is an index.
func TestSourcesWhen(t *testing.T) {
	b := buildabi.NewBoard(nil)
	h := buildabi.NewHandler(b, &buildabi.HandlerOptions{Sources: sourceFS(fstest.MapFS{})})
	expect := func(code int) {
		t.Helper()
		if w := get(h, "GET", "/debug/sources.tar"); w.Code != code {
			t.Errorf("%d, want %d", w.Code, code)
		}
	}
	expect(404)
	f, err := b.StartBuild("a").StartFuzz()
	must(t, err)
	expect(404)
	must(t, f.SetIndex(&buildabi.SourceIndex{}))
	expect(200)
	if w := get(buildabi.NewHandler(b, nil), "GET", "/sources.tar"); w.Code != 404 {
		t.Errorf("without a hook: %d", w.Code)
	}
	b.StartBuild("a")
	expect(404)
}

func TestStepLog(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a", "b", "c")
	h := buildabi.NewHandler(b, &buildabi.HandlerOptions{
		StepLog: func(step int) (io.ReadCloser, error) {
			switch step {
			case 0:
				return io.NopCloser(strings.NewReader("<b>why</b>\n")), nil
			case 1:
				return nil, fs.ErrNotExist
			}
			return nil, errors.New("no disk")
		}})
	for _, c := range []struct {
		step string
		code int
		body string
	}{
		{"0", 200, "<b>why</b>\n"}, {"1", 404, "not found"}, {"2", 500, "no disk"},
		{"3", 404, "not found"}, {"-1", 404, "not found"}, {"x", 404, "not found"},
		{"99999999999999999999", 404, "not found"}, {"0/1", 404, "not found"},
	} {
		w := get(h, "GET", "/steps/"+c.step+"/log")
		kind, cache := "text/plain", ""
		if c.code == 200 {
			kind, cache = "text/plain; charset=utf-8", "no-store"
		}
		if w.Code != c.code || w.Body.String() != c.body || w.Header().Get("Content-Type") != kind ||
			w.Header().Get("Cache-Control") != cache ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("step %s: %d, %q, %v", c.step, w.Code, w.Body, w.Header())
		}
	}
	if w := get(h, "HEAD", "/steps/0/log"); w.Code != 200 || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d, %q", w.Code, w.Body)
	}
}

// TestStepLogFails shows a log that breaks off: the client is not told that this is its end.
func TestStepLogFails(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a", "b")
	type closing struct {
		io.Reader
		io.Closer
	}
	for _, c := range []struct {
		name string
		log  io.ReadCloser
		end  error // of the answer
	}{
		{"read", closing{io.MultiReader(strings.NewReader("some"), failing{}), io.NopCloser(nil)}, io.ErrUnexpectedEOF},
		{"close", closing{strings.NewReader("some"), failing{}}, nil},
	} {
		var log strings.Builder
		server := httptest.NewServer(buildabi.NewHandler(b, &buildabi.HandlerOptions{
			StepLog: func(int) (io.ReadCloser, error) { return c.log, nil },
			Log:     slog.New(slog.NewTextHandler(&log, nil))}))
		response, err := server.Client().Get(server.URL + "/steps/1/log")
		must(t, err)
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		server.Close() // waits for the handler
		if string(got) != "some" || err != c.end || !strings.Contains(log.String(), "step=1 error=\""+errLeft.Error()) {
			t.Errorf("%s: %q, %v, logged %q", c.name, got, err, log.String())
		}
	}
}

// TestStepLogLive follows a log that grows, and leaves while it waits for more.
func TestStepLogLive(t *testing.T) {
	b := buildabi.NewBoard(nil)
	b.StartBuild("a")
	r, w := io.Pipe()
	var log strings.Builder
	server := httptest.NewServer(buildabi.NewHandler(b, &buildabi.HandlerOptions{
		StepLog: func(int) (io.ReadCloser, error) { return r, nil },
		Log:     slog.New(slog.NewTextHandler(&log, nil))}))
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/steps/0/log", nil)
	must(t, err)
	go io.WriteString(w, "first")
	response, err := server.Client().Do(request)
	must(t, err)
	defer response.Body.Close()
	for _, part := range []string{"first", "second"} {
		got := make([]byte, len(part))
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != part {
			t.Errorf("read %q, %v", got, err)
		}
		if part == "first" {
			go io.WriteString(w, "second")
		}
	}
	leave()
	for err == nil { // until the log has been closed; the client is sent nothing any more
		_, err = io.WriteString(w, "")
	}
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	server.Close() // waits for the handler
	if log.Len() > 0 {
		t.Errorf("a client that left is reported: %s", log.String())
	}
}
