package meter

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// Usage is what one command took.
type Usage struct {
	Wall time.Duration // until the command itself ended
	CPU  time.Duration // user and system time of the command and of every process below it
}

// Command runs cmd to its end and adds up the CPU time of all its processes. The go command does not wait
// for its cache program, so that one's time is missing from the go command's own account: here
// such orphans come to this process and are waited for. No other child process may run or
// be started meanwhile. Where this cannot be done it returns errors.ErrUnsupported and does not run cmd.
func Command(ctx context.Context, cmd *exec.Cmd) (Usage, error) {
	if err := adoptOrphans(); err != nil {
		return Usage{}, err
	}
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	orphans, reapErr := reap(ctx)
	if err != nil {
		return Usage{}, err
	}
	if reapErr != nil {
		return Usage{}, fmt.Errorf("bench: %s: %w", cmd.Args[0], reapErr)
	}
	state := cmd.ProcessState
	return Usage{Wall: wall, CPU: state.UserTime() + state.SystemTime() + orphans}, nil
}
