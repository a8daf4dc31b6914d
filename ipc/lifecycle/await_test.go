package lifecycle

import (
	"context"
	"errors"
	"os"
	"testing"
)

// TestAwaitGivenUpAtOnce gives up a wait while its read begins, with another process at the other end that says nothing: on
// Windows a read is interrupted only once it blocks.
func TestAwaitGivenUpAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 500 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := awaitReady(ctx, r, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		w.Close()
	}
}
