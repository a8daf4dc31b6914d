package ipc_test

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestPendingInstances counts how many clients can connect while nobody accepts: more after each rush.
func TestPendingInstances(t *testing.T) {
	ep := newEndpoint(t, "a")
	l := listen(t, ep)
	for _, want := range []int{4, 8, 16, 16} {
		n := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			f, err := ep.Dial(ctx)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				break // all instances have their clients
			} else if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			n++
		}
		if n != want {
			t.Errorf("%d clients can connect, want %d", n, want)
		}
		for range n {
			accept(t, l)
		}
	}
}
