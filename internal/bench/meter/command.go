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
	// CPUErr says why CPU is not known, where orphans cannot be adopted.
	CPUErr error
}

// Command runs cmd to its end and adds up the CPU time of all its processes. The go command does not wait
// for its cache program, so that one's time is missing from the go command's own account: here
// such orphans come to this process and are waited for. No other child process may run or
// be started meanwhile.
func Command(ctx context.Context, cmd *exec.Cmd) (Usage, error) {
	var usage Usage
	usage.CPUErr = adoptOrphans()
	if usage.CPUErr == nil { // what earlier commands left is not this one's
		_, usage.CPUErr = reap(ctx)
	}
	start := time.Now()
	if err := cmd.Run(); err != nil {
		reap(ctx)
		return Usage{}, err
	}
	usage.Wall = time.Since(start)
	if usage.CPUErr != nil {
		return usage, nil
	}
	orphans, err := reap(ctx)
	if err != nil {
		return Usage{}, fmt.Errorf("bench: %s: %w", cmd.Args[0], err)
	}
	usage.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() + orphans
	return usage, nil
}
