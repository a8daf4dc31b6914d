package meter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a process may outlive the command that started it.
const patience = 5 * time.Second

func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("bench: adopt orphans: %w", err)
	}
	return nil
}

// reap waits for every child and returns their CPU time together.
func reap(ctx context.Context) (time.Duration, error) {
	var cpu time.Duration
	end := time.Now().Add(patience)
	for {
		var usage unix.Rusage
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, &usage)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ECHILD):
			return cpu, nil
		case err != nil:
			return 0, fmt.Errorf("wait for orphans: %w", err)
		case pid > 0:
			cpu += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case time.Now().After(end):
			return 0, fmt.Errorf("a process it started still runs after %v", patience)
		default:
			time.Sleep(time.Millisecond)
		}
	}
}
