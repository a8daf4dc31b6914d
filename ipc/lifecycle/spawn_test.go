package lifecycle_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// startTelling starts a process that tells what and returns the starter's end.
func startTelling(t *testing.T, what string) (ready *os.File, exited <-chan error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	info := lifecycle.NewSpawnInfo(w)
	attr := new(os.ProcAttr)
	handle := info.Inherit(attr)
	cmd := testkit.Command(t, "telling", handle, what)
	cmd.SysProcAttr = attr.Sys
	if len(attr.Files) > 3 {
		cmd.ExtraFiles = attr.Files[3:]
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	exit := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		bufio.NewReader(out).WriteTo(new(strings.Builder))
		exit <- cmd.Wait()
	}()
	t.Cleanup(func() { in.Close(); <-finished })
	return r, exit
}

func TestReadiness(t *testing.T) {
	for _, c := range []struct{ what, want string }{
		{"ready", ""}, {"failed", "first line; second line"},
		{"exit", "exited before it was ready"}, {"exit", "exit status 3"},
		{"hang", "deadline exceeded"},
	} {
		t.Run(c.what, func(t *testing.T) {
			ready, exited := startTelling(t, c.what)
			ctx, cancel := context.WithTimeout(t.Context(), map[bool]time.Duration{
				true: 200 * time.Millisecond, false: time.Minute}[c.what == "hang"])
			defer cancel()
			err := lifecycle.AwaitReady(ctx, ready, exited)
			if c.want == "" && err != nil {
				t.Fatal(err)
			}
			if c.want != "" {
				says(t, err, c.want)
			}
		})
	}
}

func TestReadinessHandle(t *testing.T) {
	for _, text := range []string{"x", "-1", "987654", "99999999999999"} {
		if r, err := lifecycle.OpenReadiness(text); err == nil {
			t.Errorf("handle %q: %v", text, r)
		}
	}
	r, err := lifecycle.OpenReadiness("")
	if err != nil {
		t.Fatal(err)
	}
	r.Ready() // nobody hears of it
	r.Fail(nil)
}

// TestReadinessAndExit has the news of a process's exit while its handle is open, which some other
// process may have got from it. What it told before counts, whichever of the news comes first.
func TestReadinessAndExit(t *testing.T) {
	exit := func(told string) error {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		w.WriteString(told)
		exited := make(chan error, 1)
		exited <- errors.New("exit status 3")
		return lifecycle.AwaitReady(t.Context(), r, exited)
	}
	for range 50 {
		if err := exit("failed: because\n"); err == nil || err.Error() != "because" {
			t.Fatal(err)
		}
	}
	says(t, exit(""), "exit status 3")
}

// TestReadinessExitGivenUp has the time run out just after the news of an exit, while some other process has the handle:
// nobody waits for that any longer.
func TestReadinessExitGivenUp(t *testing.T) {
	began := time.Now()
	for range 5 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		exited := make(chan error)
		go func() { // ends when the news is taken
			exited <- errors.New("exit status 3")
			cancel()
		}()
		says(t, lifecycle.AwaitReady(ctx, r, exited), "exit status 3")
		w.Close()
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("that took %v", took)
	}
}

// TestReadinessLimits has a server with much to say, and one that says something else.
func TestReadinessLimits(t *testing.T) {
	for name, c := range map[string]struct{ told, want string }{
		"long":        {"failed: " + strings.Repeat("x", 4000) + "\n", "xxx"},
		"cut off":     {"failed: because", "because"},
		"no end":      {strings.Repeat("y", 5000), "before it was ready"},
		"other words": {"hello\n", "before it was ready"},
		"nothing":     {"", "before it was ready"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			told := make(chan bool)
			go func() {
				defer close(told)
				w.WriteString(c.told) // fails where the reader has had enough
				w.Close()
			}()
			says(t, lifecycle.AwaitReady(t.Context(), r, nil), c.want)
			<-told
		})
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	lifecycle.NewSpawnInfo(w).Starter().Fail(errors.New(strings.Repeat("z", 100000))) // and does not wait
	line, err := io.ReadAll(r)
	r.Close()
	if text := string(line); len(line) != 4096 || !strings.HasPrefix(text, "failed: zzz") || text[4095] != '\n' || err != nil {
		t.Errorf("told %d bytes, %.20q, %v", len(line), line, err)
	}
}

// TestStarterHears has a claim tell the starter how it went, without any doing of the server.
func TestStarterHears(t *testing.T) {
	null, err := os.Open(os.DevNull) // which nobody can connect to
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		name string
		held bool
		o    lifecycle.ClaimOptions
		want string
	}{
		{"ready", false, lifecycle.ClaimOptions{}, ""},
		{"held", true, lifecycle.ClaimOptions{}, "held by process"},
		{"does not listen", false, lifecycle.ClaimOptions{Inherited: null}, "ipc: listen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ep, _ := newEndpoint(t)
			if c.held {
				claim(t, ep)
			}
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c.o.Starter = lifecycle.NewSpawnInfo(w).Starter()
			h, err := lifecycle.Claim(t.Context(), ep, &c.o)
			if err == nil {
				defer h.Close()
				h.Listen()
			}
			w.Close() // ends the wait if nothing was told
			heard := lifecycle.AwaitReady(t.Context(), r, nil)
			if c.want == "" && heard != nil {
				t.Error(heard)
			}
			if c.want != "" {
				says(t, heard, c.want)
			}
		})
	}
}

// TestStarterHearsLast has a server that cannot listen give up its claim, and only then tell its
// starter, which otherwise would take the claim for that of a server that was faster.
func TestStarterHearsLast(t *testing.T) {
	null, err := os.Open(os.DevNull) // which nobody can connect to
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ep, _ := newEndpoint(t)
	h, err := lifecycle.Claim(t.Context(), ep, &lifecycle.ClaimOptions{
		Inherited: null, Starter: lifecycle.NewSpawnInfo(w).Starter(),
		Events: func(e ipc.Event) {
			if e.Kind == lifecycle.EventReleased {
				w.WriteString("released\n")
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Listen(); err == nil {
		t.Error("listens")
	}
	told, err := io.ReadAll(r) // the telling closes the other end
	if err != nil || !strings.HasPrefix(string(told), "released\nfailed: ") {
		t.Errorf("told %q, %v", told, err)
	}
}
