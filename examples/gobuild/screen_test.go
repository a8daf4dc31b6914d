package main

import (
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

func TestScreen(t *testing.T) {
	talk := func(s *screen) {
		s.status("a long status")
		s.status("short")
		s.say("said %d", 1)
		s.status("again")
		io.WriteString(s, "printed by another\n")
		s.clear()
	}
	var plain, terminal strings.Builder
	talk(&screen{w: &plain})
	if want := "said 1\nprinted by another\n"; plain.String() != want {
		t.Errorf("plain: %q, want %q", &plain, want)
	}
	talk(&screen{w: &terminal, terminal: true})
	if got := shown(terminal.String()); got != "said 1\nprinted by another\n" {
		t.Errorf("a terminal shows %q after %q", got, &terminal)
	}
}

// shown is what a terminal shows in the end, without trailing spaces.
func shown(s string) string {
	var lines []string
	line, at := []byte{}, 0
	for _, c := range []byte(s) {
		switch {
		case c == '\n':
			lines = append(lines, strings.TrimRight(string(line), " "))
			line, at = nil, 0
		case c == '\r':
			at = 0
		case c == '\b':
			at--
		case at < len(line):
			line[at] = c
			at++
		default:
			line = append(line, c)
			at++
		}
	}
	return strings.Join(append(lines, strings.TrimRight(string(line), " ")), "\n")
}

func TestFollowShowsCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	c := counts{Gets: 7, Hits: 3, PutBytes: 12345}
	if err := c.write(file); err != nil {
		t.Fatal(err)
	}
	got := progress("name", file, 1500*time.Millisecond)
	for _, want := range []string{"name", "1.5 s", "3 found", "4 missing", "12.3 kB stored"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	c = counts{Gets: 1e6, Hits: 5e5, PutBytes: 999e9}
	if err := c.write(file); err != nil {
		t.Fatal(err)
	}
	if got := progress("Go's own cache, warm", file, 999*time.Second); len(got) > 79 {
		t.Errorf("%d characters, wider than a terminal: %q", len(got), got)
	}
	var b strings.Builder
	stop := (&screen{w: &b, terminal: true}).follow("name", file)
	stop()
	if shown(b.String()) != "" {
		t.Errorf("left %q", &b)
	}
}

func TestCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "counts")
	if c, err := readCounts(file); c != (counts{}) || err != nil {
		t.Errorf("before the first write: %+v, %v", c, err)
	}
	var c gocacheprog.Counters
	stop := writeCounts(file, &c)
	c.Gets.Store(12)
	c.PutBytes.Store(1 << 40)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got, err := readCounts(file); got != (counts{Gets: 12, PutBytes: 1 << 40}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if err := writeCounts(filepath.Join(file, "below"), &c)(); err == nil {
		t.Error("a file that cannot be written is no error")
	}
}

func TestNotices(t *testing.T) {
	var b strings.Builder
	log := newLogger(&b, slog.LevelWarn)
	log.Info("not worth it")
	for range 3 {
		log.With("a", 1).WithGroup("g").Warn("damage", "err", errors.Join(io.EOF, io.ErrNoProgress))
	}
	log.Log(t.Context(), slog.LevelError, "worse")
	if want := "gobuild: damage, a: 1, err: EOF; multiple Read calls return no data or error\ngobuild: worse\n"; b.String() != want {
		t.Errorf("%q, want %q", &b, want)
	}
}
