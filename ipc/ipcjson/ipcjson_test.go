package ipcjson_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/ipcjson"
	"github.com/larderbuild/larder/ipc/ipctest"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m, nil)) }

type question struct{ A, B int }

type answer struct{ Sum int }

func TestCodec(t *testing.T) {
	s := ipc.NewServer(nil)
	t.Cleanup(func() { s.Close() })
	s.Handle(1, ipc.HandlerOf(ipcjson.Codec{}, func(_ context.Context, q question) (answer, error) {
		return answer{q.A + q.B}, nil
	}))
	s.Handle(2, func(context.Context, *ipc.Request) (*ipc.Response, error) { return nil, nil })
	c := ipctest.Client(t, s, nil)
	got, err := ipc.CallAs[answer](t.Context(), c, ipcjson.Codec{}, 1, question{2, 3})
	if got.Sum != 5 || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ipc.CallAs[answer](t.Context(), c, ipcjson.Codec{}, 2, question{}); ipc.OutcomeOf(err) != ipc.Answered {
		t.Errorf("an empty answer says %v", err)
	}
	if _, err := ipc.CallAs[answer](t.Context(), c, ipcjson.Codec{}, 1, func() {}); ipc.OutcomeOf(err) != ipc.NotProcessed || err == nil {
		t.Errorf("a function says %v", err)
	}
}

var event = ipc.Event{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Kind: ipc.EventPanic, Endpoint: "e", PID: 1,
	Peer: 2, Server: 3, Old: 4, Instance: "i", Version: "v", Executable: "x", Reason: "r", Link: "l",
	Took: 1500 * time.Microsecond, Count: 5, Err: &ipc.PanicError{Op: 1, Stack: []byte("stack")}}

func TestLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := ipcjson.NewLog(path, 0)
	l.Event(event)
	got, err := os.ReadFile(path)
	want := `{"time":"2026-01-02T03:04:05Z","kind":"panic","endpoint":"e","pid":1,"peer":2,"server":3,"old":4,` +
		`"instance":"i","version":"v","executable":"x","reason":"r","link":"l","took_ms":1.5,"count":5,` +
		`"error":"ipc: handler panicked","stack":"stack"}` + "\n"
	if string(got) != want || err != nil || l.Err() != nil {
		t.Errorf("the line is\n%s, want\n%s (%v)", got, want, err)
	}
}

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	one, two := ipcjson.NewLog(path, 1000), ipcjson.NewLog(path, 1000)
	if err := one.Rotate(); err != nil {
		t.Errorf("without a file: %v", err)
	}
	one.Event(ipc.Event{Kind: "small"})
	if err := one.Rotate(); err != nil || size(path+".1") >= 0 {
		t.Errorf("a small file was rotated, %v", err)
	}
	one.Event(ipc.Event{Kind: "large", Reason: strings.Repeat("r", 1000)})
	if err := one.Rotate(); err != nil || size(path) >= 0 || size(path+".1") < 1000 {
		t.Errorf("a large file was not rotated, %v", err)
	}
	two.Event(ipc.Event{Kind: "next"})
	if n := size(path); n < 0 || n > 200 {
		t.Errorf("the other process wrote to the old file: the new one has %d bytes", n)
	}
}

// TestRotateDefault has files of just less than 1 MiB and of 1 MiB.
func TestRotateDefault(t *testing.T) {
	for n, rotates := range map[int]bool{1<<20 - 1: false, 1 << 20: true} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
		err := ipcjson.NewLog(path, 0).Rotate()
		if err != nil || (size(path+".1") == int64(n)) != rotates {
			t.Errorf("a file of %d bytes: rotated is %v, %v", n, !rotates, err)
		}
	}
}

// size is that of a file, -1 if there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

func TestLogErrors(t *testing.T) {
	l := ipcjson.NewLog(filepath.Join(t.TempDir(), "missing", "log"), 0)
	l.Event(event)
	if err := l.Err(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log in no folder says %v", err)
	}
	if err := l.Err(); err != nil {
		t.Errorf("and again: %v", err)
	}
}

// TestLogErrorsBounded has nobody ask what went wrong: the log must not grow in memory for it.
func TestLogErrorsBounded(t *testing.T) {
	l := ipcjson.NewLog(filepath.Join(t.TempDir(), "missing", "log"), 0)
	for range 1000 {
		l.Event(ipc.Event{Kind: ipc.EventAccept})
	}
	if err := l.Err(); !errors.Is(err, os.ErrNotExist) || len(err.Error()) > 1000 {
		t.Errorf("%.200v", err)
	}
}

func TestSlog(t *testing.T) {
	var b bytes.Buffer
	hook := ipcjson.Slog(slog.New(slog.NewTextHandler(&b, nil)))
	hook(event)
	hook(ipc.Event{Time: event.Time, Kind: "test"})
	want := `time=2026-01-02T03:04:05.000Z level=WARN msg="ipc: panic" endpoint=e instance=i version=v executable=x ` +
		`reason=r link=l error="ipc: handler panicked" stack=stack pid=1 peer=2 server=3 old=4 count=5 took_ms=1.5` + "\n" +
		`time=2026-01-02T03:04:05.000Z level=INFO msg="ipc: test"` + "\n"
	if b.String() != want {
		t.Errorf("records\n%swant\n%s", &b, want)
	}
}

// TestSlogQuiet has a logger that wants neither warnings nor less.
func TestSlogQuiet(t *testing.T) {
	var b bytes.Buffer
	hook := ipcjson.Slog(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelError})))
	hook(event)
	if b.Len() > 0 {
		t.Errorf("records\n%s", &b)
	}
}

// TestCodecAppends keeps what is there, and returns nothing with an error.
func TestCodecAppends(t *testing.T) {
	if b, err := (ipcjson.Codec{}).Append([]byte("kept"), 1); string(b) != "kept1" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := (ipcjson.Codec{}).Append([]byte("kept"), func() {}); b != nil || err == nil {
		t.Errorf("%q, %v", b, err)
	}
}

func ExampleCodec() {
	type point struct{ X, Y int }
	b, err := ipcjson.Codec{}.Append(nil, point{1, 2})
	fmt.Printf("%s %v\n", b, err)
	var p point
	fmt.Println(ipcjson.Codec{}.Decode(b, &p), p)
	// Output:
	// {"X":1,"Y":2} <nil>
	// <nil> {1 2}
}
