package lifecycle_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// wantHeld demands that the endpoint is held by a process.
func wantHeld(t testing.TB, ep ipc.Endpoint, pid int, version string) {
	t.Helper()
	h, err := lifecycle.Claim(t.Context(), ep, nil)
	if err == nil {
		h.Close()
	}
	held, ok := errors.AsType[*lifecycle.HeldError](err)
	if !ok || !errors.Is(err, lifecycle.ErrHeld) {
		t.Fatalf("claim of an endpoint that process %d holds: %v", pid, err)
	}
	if held.Holder.Process.PID != pid || held.Holder.Version != version || held.Holder.Instance == "" {
		t.Errorf("holder %+v, want process %d of version %s", held.Holder, pid, version)
	}
}

func TestClaimHeldByOther(t *testing.T) {
	for _, what := range []string{"claim", "serve"} {
		t.Run(what, func(t *testing.T) {
			ep, dir := newEndpoint(t)
			c := startHolder(t, dir, what)
			wantHeld(t, ep, c.Cmd.Process.Pid, "7")
			c.Kill()
			claim(t, ep)
		})
	}
}

func TestClaimHeldByUs(t *testing.T) {
	ep, _ := newEndpoint(t)
	h := claim(t, ep)
	wantHeld(t, ep, os.Getpid(), "1")
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := h.Listen(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("listen after close: %v", err)
	}
	again := claim(t, ep)
	if again.Info().Instance == h.Info().Instance || len(h.Info().Instance) != 32 {
		t.Errorf("instances %s and %s", again.Info().Instance, h.Info().Instance)
	}
}

// TestClaimOne has many claim at once: one gets it, the others learn who.
func TestClaimOne(t *testing.T) {
	ep, _ := newEndpoint(t)
	var wg sync.WaitGroup
	got := make(chan *lifecycle.Held, 32)
	for range cap(got) {
		wg.Go(func() {
			h, err := lifecycle.Claim(t.Context(), ep, nil)
			if err == nil {
				got <- h
			} else if !errors.Is(err, lifecycle.ErrHeld) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("%d claims of one endpoint", len(got))
	}
	(<-got).Close()
}

// TestLockFileReplaced has each holder delete the file that it has locked: who has opened that one
// does not have the lock of the next.
func TestLockFileReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, overlaps atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				f, err := lifecycle.TryLock(path)
				if err != nil {
					continue
				}
				if inside.Add(1) > 1 {
					overlaps.Add(1)
				}
				os.Stat(path) // gives the others time
				inside.Add(-1)
				os.Remove(path)
				f.Close()
			}
		})
	}
	wg.Wait()
	if n := overlaps.Load(); n > 0 {
		t.Errorf("%d times two had the lock", n)
	}
}

// TestClaimLockFileDeleted deletes the lock file of a server that goes on.
func TestClaimLockFileDeleted(t *testing.T) {
	ep, dir := newEndpoint(t)
	c := startHolder(t, dir, "serve")
	if err := os.Remove(ep.Beside(lifecycle.ClaimSuffix)); err != nil {
		t.Skip("this system keeps a file that is open:", err)
	}
	wantHeld(t, ep, c.Cmd.Process.Pid, "7")
	c.Kill()
	claim(t, ep)
}

// TestClaimCopiedFolder copies the files beside an endpoint, the record of a live holder included.
func TestClaimCopiedFolder(t *testing.T) {
	ep, dir := newEndpoint(t)
	startHolder(t, dir, "serve")
	_, copied := newEndpoint(t)
	record, err := os.ReadFile(ep.Beside(lifecycle.ClaimSuffix))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(ep.Beside(lifecycle.ClaimSuffix))
	if err := os.WriteFile(filepath.Join(copied, name), record, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := ipc.NewEndpointIn(copied, "test")
	if err != nil {
		t.Fatal(err)
	}
	h := claim(t, other)
	if h.Info().Process.PID != os.Getpid() {
		t.Errorf("claim of %+v", h.Info())
	}
}

// TestClaimReusedPID finds the record of a dead holder whose number another process has: this one.
func TestClaimReusedPID(t *testing.T) {
	ep, _ := newEndpoint(t)
	own, err := ipc.ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]ipc.Process{
		"number of another": {PID: own.PID, Start: own.Start - 1}, "the process itself": own,
		"unknown start": {PID: own.PID}, "nonsense": {PID: -1},
	} {
		t.Run(name, func(t *testing.T) {
			b := lifecycle.FormatRecord(lifecycle.Info{Process: p, Instance: "x", Version: "9"})
			if err := os.WriteFile(ep.Beside(lifecycle.ClaimSuffix), b, 0o600); err != nil {
				t.Fatal(err)
			}
			claim(t, ep).Close()
		})
	}
}

// TestClaimZombie kills the holder and does not wait for it.
func TestClaimZombie(t *testing.T) {
	ep, dir := newEndpoint(t)
	c := startHolder(t, dir, "serve")
	p, err := ipc.ProcessOf(c.Cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	c.Cmd.Process.Kill()
	if err := lifecycle.WaitGone(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	claim(t, ep)
}

// TestClaimClockJump moves the times of the lock file: nothing depends on them.
func TestClaimClockJump(t *testing.T) {
	ep, _ := newEndpoint(t)
	for _, years := range []int{-50, 50} {
		h := claim(t, ep)
		at := time.Now().AddDate(years, 0, 0)
		if err := os.Chtimes(ep.Beside(lifecycle.ClaimSuffix), at, at); err != nil {
			t.Fatal(err)
		}
		wantHeld(t, ep, os.Getpid(), "1")
		h.Close()
		claim(t, ep).Close()
	}
}

func TestClaimFolderGone(t *testing.T) {
	ep, dir := newEndpoint(t)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := lifecycle.Claim(t.Context(), ep, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("claim without a folder: %v", err)
	}
}

// TestClaimLongest has the longest version that a record takes.
func TestClaimLongest(t *testing.T) {
	ep, _ := newEndpoint(t)
	o := &lifecycle.ClaimOptions{Version: strings.Repeat("\x00", 1024)}
	h, err := lifecycle.Claim(t.Context(), ep, o)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	_, err = lifecycle.Claim(t.Context(), ep, nil)
	if held, ok := errors.AsType[*lifecycle.HeldError](err); !ok || held.Holder != h.Info() {
		t.Errorf("claim: %v", err)
	}
}

// TestClaimEvents serves and drains: the record and the events tell of every step.
func TestClaimEvents(t *testing.T) {
	ep, _ := newEndpoint(t)
	var kinds []string
	var stages []string
	stage := func() {
		b, err := os.ReadFile(ep.Beside(lifecycle.ClaimSuffix))
		if err != nil {
			t.Fatal(err)
		}
		_, s, _ := lifecycle.ParseRecord(b)
		stages = append(stages, s)
	}
	h, err := lifecycle.Claim(t.Context(), ep, &lifecycle.ClaimOptions{
		Instance: "me", Version: "5",
		Events: func(e ipc.Event) {
			if e.PID != os.Getpid() || e.Server != os.Getpid() || e.Instance != "me" || e.Version != "5" || e.Time.IsZero() ||
				e.Endpoint != ep.String() {
				t.Errorf("event %+v", e)
			}
			kinds = append(kinds, e.Kind)
			stage()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := h.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Refuse(); err != nil {
		t.Fatal(err)
	}
	h.Close()
	want := []string{lifecycle.EventClaimed, lifecycle.EventListening, lifecycle.EventRefusing,
		lifecycle.EventReleased}
	if !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
	if want := []string{"claimed", "listening", "draining", ""}; !slices.Equal(stages, want) {
		t.Errorf("stages %q, want %q", stages, want)
	}
	if ep.Listening() {
		t.Error("somebody listens")
	}
}

// TestClaimClosedUnderServer closes the claim of a server that runs: it ends, and says nothing of a
// claim that it no longer has.
func TestClaimClosedUnderServer(t *testing.T) {
	ep, _ := newEndpoint(t)
	var kinds []string
	h, err := lifecycle.Claim(t.Context(), ep, &lifecycle.ClaimOptions{
		Events: func(e ipc.Event) { kinds = append(kinds, e.Kind) },
	})
	if err != nil {
		t.Fatal(err)
	}
	up := &upSource{h, make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- ipc.NewServer(nil).Serve(context.Background(), up) }()
	<-up.up
	if err := errors.Join(h.Close(), <-served); err != nil {
		t.Error(err)
	}
	want := []string{lifecycle.EventClaimed, lifecycle.EventListening, lifecycle.EventReleased}
	if !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
}
