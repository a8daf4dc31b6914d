//go:build !linux

package lifecycle

import (
	"context"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// waitGone returns when the process has ended, or with the cause of ctx's end. pause is how often
// it looks.
func waitGone(ctx context.Context, p ipc.Process, pause time.Duration) error {
	return pollGone(ctx, p, pause)
}
