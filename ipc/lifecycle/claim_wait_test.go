package lifecycle_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/ipc"
	"github.com/larderbuild/larder/ipc/internal/filelock"
	"github.com/larderbuild/larder/ipc/lifecycle"
)

// TestClaimKilledOwner has a killed owner keep its lock, and then its socket, for a while each: on a busy machine
// it gets the processor no sooner to close its files.
func TestClaimKilledOwner(t *testing.T) {
	const late = 300 * time.Millisecond
	for name, c := range map[string]struct{ lock, socket time.Duration }{
		"lock": {lock: late}, "socket": {socket: late}, "both": {late, 2 * late},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep, _ := newEndpoint(t)
			l := listenDeaf(t, ep)
			time.AfterFunc(c.lock, lockDead(t, ep))
			time.AfterFunc(c.socket, func() { l.Close() })
			claim(t, ep)
		})
	}
}

// TestClaimWaits has what is never given up: how long does a claim wait for it?
func TestClaimWaits(t *testing.T) {
	for _, c := range []struct {
		name         string
		hold         func(*testing.T, ipc.Endpoint)
		patience     time.Duration // of the caller
		least, most  time.Duration
		callerGaveUp bool
	}{
		{"lock of a dead process", func(t *testing.T, ep ipc.Endpoint) { t.Cleanup(lockDead(t, ep)) },
			time.Hour, time.Second, 1100 * time.Millisecond, false},
		{"lock of a dead process, given up", func(t *testing.T, ep ipc.Endpoint) { t.Cleanup(lockDead(t, ep)) },
			time.Millisecond, 0, time.Millisecond, true},
		{"lock of a process that lives", func(t *testing.T, ep ipc.Endpoint) { claim(t, ep) },
			time.Hour, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ep, _ := newEndpoint(t)
			c.hold(t, ep)
			synctest.Test(t, func(t *testing.T) {
				took, err := claimFor(t, ep, c.patience)
				if !errors.Is(err, lifecycle.ErrHeld) || took < c.least || took > c.most ||
					errors.Is(err, context.DeadlineExceeded) != c.callerGaveUp {
					t.Errorf("after %v: %v", took, err)
				}
			})
		})
	}
}

func claimFor(t *testing.T, ep ipc.Endpoint, patience time.Duration) (took time.Duration, err error) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = lifecycle.Claim(ctx, ep, nil)
	return time.Since(began), err
}

// TestClaimWaitsForSocket has a server that hangs up on everybody: it is given a second to go, or less by a caller
// that has no more. In real time, as in a bubble a second does not pass while a socket is read.
func TestClaimWaitsForSocket(t *testing.T) {
	for patience, least := range map[time.Duration]time.Duration{time.Hour: time.Second, time.Millisecond: 0} {
		ep, _ := newEndpoint(t)
		listenDeaf(t, ep)
		if took, err := claimFor(t, ep, patience); !errors.Is(err, lifecycle.ErrHeld) || took < least {
			t.Errorf("after %v: %v", took, err)
		}
	}
}

// listenDeaf listens and hangs up on everybody.
func listenDeaf(t *testing.T, ep ipc.Endpoint) *ipc.Listener {
	t.Helper()
	l, err := ipc.Listen(ep, nil)
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			f, err := l.Accept()
			if err != nil {
				return
			}
			f.Close()
		}
	})
	t.Cleanup(func() { l.Close(); accepting.Wait() })
	return l
}

// lockDead locks the endpoint's claim for a process that is dead.
func lockDead(t *testing.T, ep ipc.Endpoint) (unlock func()) {
	t.Helper()
	path := ep.Beside(lifecycle.ClaimSuffix)
	dead := lifecycle.FormatRecord(lifecycle.Info{Process: ipc.Process{PID: os.Getpid(), Start: 1}})
	if err := os.WriteFile(path, dead, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = filelock.Try(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}
