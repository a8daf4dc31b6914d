package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/larderbuild/larder/buildabi"
	"github.com/larderbuild/larder/buildabi/webui"
	"github.com/larderbuild/larder/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// TestRefused shows what a user is told who cannot be helped, and with which exit code.
func TestRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	bad := filepath.Join(t.TempDir(), "bad.jsonl")
	lines := `{"t_ms":1,"dir":"s2c","hex":"00"}` + "\n" + `{"hex":"0"}`
	must(t, os.WriteFile(bad, []byte(lines), 0o666))
	empty := filepath.Join(t.TempDir(), "empty.jsonl")
	must(t, os.WriteFile(empty, nil, 0o666))
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"flag", []string{"-nonsense"}, 2, "-nonsense"},
		{"two folders", []string{"a", "b"}, 2, "one folder"},
		{"version", []string{"-abi", "v2"}, 2, "neither v1 nor v3"},
		{"speed", []string{"-replay", empty, "-speed", "0"}, 2, "-speed"},
		{"no speed", []string{"-replay", empty, "-speed", "NaN"}, 2, "above 0"},
		{"speed of what", []string{"-speed", "2"}, 2, "-speed is for -replay"},
		{"replay and record", []string{"-replay", empty, "-record", "x"}, 2, "-replay"},
		{"replay and folder", []string{"-replay", empty, "x"}, 2, "-replay"},
		{"port in use", []string{"-addr", l.Addr().String()}, 1, l.Addr().String()},
		{"no port", []string{"-addr", "localhost"}, 1, "missing port"},
		{"no folder", []string{bad + "x"}, 1, "bad.jsonlx"},
		{"a file", []string{bad}, 1, "bad.jsonl"},
		{"no recording", []string{"-replay", bad + "x"}, 1, "bad.jsonlx"},
		{"bad recording", []string{"-replay", bad}, 1, "line 2"},
		{"empty recording", []string{"-replay", empty}, 1, "no message"},
		{"no page", []string{"-assets", t.TempDir()}, 1, "no page in"},
		{"no place to record", []string{"-record", t.TempDir()}, 1, "directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), c.args, &stdout, &stderr)
			if code != c.code || !strings.Contains(stderr.String(), c.want) || stdout.Len() > 0 {
				t.Errorf("%d, %q, %q", code, &stdout, &stderr)
			}
			if strings.Count(stderr.String(), "\n") > 2 {
				t.Errorf("more than it takes: %s", &stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("%d, %s", code, &stderr)
	}
	for _, want := range []string{"usage:", "-addr", "-abi", "-assets", "-open", "-record",
		"-replay", "-speed"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %s in %s", want, &stdout)
		}
	}
}

// TestNoGo shows what a user is told who has no Go.
func TestNoGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), nil, &stdout, &stderr)
	if code != 1 || !strings.HasPrefix(stderr.String(), `demo: exec: "go": `) || stdout.Len() > 0 {
		t.Errorf("%d, %q, %q", code, &stdout, &stderr)
	}
}

// TestAddress shows that the page is found at the address that is printed, which is of this machine
// alone unless another is asked for, and what has to be given for the same port again.
func TestAddress(t *testing.T) {
	for _, c := range []struct{ given, page, again string }{
		{"", "http://127.0.0.1:", "127.0.0.1:"}, {"localhost:0", "http://localhost:", "localhost:"},
		{":0", "http://localhost:", ":"}, {"0.0.0.0:0", "http://localhost:", "0.0.0.0:"},
		{"127.0.0.2:0", "http://127.0.0.2:", "127.0.0.2:"},
	} {
		t.Run(c.given, func(t *testing.T) {
			if l, err := net.Listen("tcp", c.given); err != nil {
				t.Skip(err) // not every system has all of 127.0.0.0/8
			} else {
				l.Close()
			}
			args := []string{"-replay", recordings + "plain-0.16.0.jsonl.gz"}
			if c.given != "" {
				args = append(args, "-addr", c.given)
			}
			address, again, stop := startAt(t, args...)
			defer stop()
			port := strings.TrimPrefix(again, c.again)
			if address != c.page+port+"/" || port == "0" || port == again {
				t.Errorf("%s, again %s", address, again)
			}
			if page := body(t, address); !strings.Contains(page, "Rebuild") {
				t.Errorf("the page is %q", page)
			}
		})
	}
}

// start runs the command until stop is called, which returns its exit code.
func start(t *testing.T, args ...string) (address string, stop func() int) {
	t.Helper()
	address, _, stop = startAt(t, args...)
	return address, stop
}

// startAt is start; it also returns what has to be given for the same port again.
func startAt(t *testing.T, args ...string) (address, again string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() { // until the test ends
		code := run(ctx, args, w, t.Output())
		w.CloseWithError(io.ErrUnexpectedEOF)
		done <- code
	}()
	lines := bufio.NewReader(r)
	address, err := lines.ReadString('\n')
	must(t, err)
	hint, err := lines.ReadString('\n')
	must(t, err)
	again, ok := strings.CutPrefix(hint, "for the same port again: -addr ")
	if !ok {
		t.Errorf("%q says nothing of the port", hint)
	}
	return strings.TrimSpace(address), strings.TrimSpace(again), func() int {
		cancel()
		return <-done
	}
}

// dial connects a client that is closed when the test ends.
func dial(t *testing.T, address string, v buildabi.Version) *webui.Client {
	t.Helper()
	c, err := webui.Dial(t.Context(), address, &webui.DialOptions{Version: v})
	must(t, err)
	return c
}

// next returns the next message, in which there must be nothing wrong.
func next(t *testing.T, c *webui.Client) buildabi.Message {
	t.Helper()
	m, findings, err := c.Next(t.Context())
	if err != nil || len(findings) > 0 {
		t.Fatalf("%v, %v, %v", m, findings, err)
	}
	return m
}

// body returns what is served at an address.
func body(t *testing.T, address string) string {
	t.Helper()
	r, err := http.Get(address)
	must(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(t, err)
	http.DefaultClient.CloseIdleConnections()
	return string(b)
}

// TestAssets shows that another page can be served.
func TestAssets(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "index.html"), []byte("other"), 0o666))
	address, stop := start(t, "-assets", dir, "-replay", recordings+"plain-0.16.0.jsonl.gz")
	if got := body(t, address); got != "other" {
		t.Errorf("got %q", got)
	}
	if code := stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
