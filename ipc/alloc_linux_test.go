//go:build linux && (amd64 || arm64)

// Only where wire_sendmsg.go is: elsewhere each read and write allocates.

package ipc_test

import (
	"context"
	"testing"
	"time"

	"github.com/larderbuild/larder/internal/testkit"
	"github.com/larderbuild/larder/ipc/ipctest"
)

// TestNoAllocations counts those of client and server together: both are in this process.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newServer(t, nil)
	lockstep, mux := ipctest.Conn(t, s, nil), ipctest.Client(t, s, nil)
	for _, tc := range []struct {
		name string
		size int
		op   uint16
		call func([]byte, uint16, []byte, time.Duration) ([]byte, error)
	}{
		{"lockstep small", 256, opEcho, lockstep.CallAppend},
		{"lockstep 64 KiB", 64 << 10, opEcho, lockstep.CallAppend},
		{"lockstep fast", 256, opFast, lockstep.CallAppend},
		{"multiplexed small", 256, opEcho, mux.CallAppend},
		{"multiplexed 64 KiB", 64 << 10, opEcho, mux.CallAppend},
		{"multiplexed fast", 256, opFast, mux.CallAppend},
		{"answer built in the request's buffer", 64 << 10, opBuilt, mux.CallAppend},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, buf := testkit.Bytes(testkit.Rand(t), tc.size), make([]byte, 0, tc.size)
			call := func() {
				if _, err := tc.call(buf, tc.op, req, time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				call() // until every pool has what it needs
			}
			if n := testing.AllocsPerRun(500, call); n != 0 {
				t.Errorf("%v allocations per call", n)
			}
		})
	}
}

func TestCallAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newServer(t, nil)
	c := ipctest.Client(t, s, nil)
	req := make([]byte, 256)
	call := func() {
		if _, err := c.Call(t.Context(), opEcho, req); err != nil {
			t.Fatal(err)
		}
	}
	call()
	t.Logf("%v allocations with a context that can be cancelled", testing.AllocsPerRun(200, call))
	plain := func() {
		if _, err := c.Call(context.Background(), opEcho, req); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, plain); n > 2 {
		t.Errorf("%v allocations per call", n)
	}
}
