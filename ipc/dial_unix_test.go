//go:build unix

package ipc_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// TestConnectPauses dials an endpoint whose server is on its way and comes after a while, in the time
// of a bubble: how long after the server the client comes shows the pauses between its attempts.
func TestConnectPauses(t *testing.T) {
	const trials = 100
	for _, tc := range []struct {
		name        string
		after, most time.Duration
		rank        int // of the trials, one more come within most
	}{
		{"the first", 1, time.Millisecond, trials - 1},
		{"the second", time.Millisecond + 1, 4 * time.Millisecond, trials / 2},
		{"later ones", time.Second, 50 * time.Millisecond, trials - 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var took []time.Duration
			for range trials {
				synctest.Test(t, func(t *testing.T) {
					ep := newEndpoint(t, "a")
					hold(t, ep.Beside(ipc.ClaimSuffix))
					start := time.Now()
					go func() { // ends before the client is there
						time.Sleep(tc.after)
						listen(t, ep)
					}()
					dial(t, ep)
					took = append(took, time.Since(start)-tc.after)
				})
			}
			slices.Sort(took)
			least, most := took[0], took[trials-1]
			if took[tc.rank] > tc.most || most < tc.most/3 || least > tc.most/3 {
				t.Errorf("clients come %v to %v after the server", least, most)
			}
		})
	}
}

// nobody is a user that this process is not.
const nobody = 65534

// TestDialFailsAtOnce meets what no waiting mends, while somebody holds the claim.
func TestDialFailsAtOnce(t *testing.T) {
	ep := newEndpoint(t, "a")
	hold(t, ep.Beside(ipc.ClaimSuffix))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: ep.String()}); err != nil {
		t.Fatal(err)
	}
	fails := func(want error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := ep.Dial(ctx); !errors.Is(err, want) {
			t.Errorf("dial says %v, want %v", err, want)
		}
	}
	fails(syscall.EPROTOTYPE) // a socket of another kind
	if err := os.Chmod(ep.String(), 0); err != nil {
		t.Fatal(err)
	}
	if !asNobody(func() { fails(os.ErrPermission) }) && os.Getuid() != 0 {
		fails(os.ErrPermission)
	}
}
