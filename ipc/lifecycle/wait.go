package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/larderbuild/larder/ipc"
)

// pollGone looks again and again whether the process has ended. Where the system does not tell, it
// has nothing to wait for.
func pollGone(ctx context.Context, p ipc.Process, pause time.Duration) error {
	if _, err := ipc.ProcessOf(p.PID); errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	for p.Alive() {
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// sleep returns the cause of ctx's end if that comes before the time has passed.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
