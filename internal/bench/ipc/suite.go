package ipc

import (
	"fmt"

	"github.com/larderbuild/larder/internal/bench/child"
	"github.com/larderbuild/larder/internal/bench/frame"
)

// Suite returns the suite named "ipc".
func Suite() frame.Suite { return frame.Suite{Name: "ipc", Cases: cases} }

// Jobs are what its child processes run.
func Jobs() map[string]child.Job {
	return map[string]child.Job{
		jobServe:    child.JobOf(serve),
		jobCall:     child.JobOf(call),
		jobStall:    child.JobOf(stall),
		jobDeadline: child.JobOf(deadlines),
		jobHost:     child.JobOf(hostCrowd),
		jobCrowd:    child.JobOf(crowd),
	}
}

func cases(env *frame.Env) []frame.Case {
	var all []frame.Case
	for _, m := range matches(env) {
		all = append(all, m.of(env))
	}
	all = append(all, deadlineCase(env))
	if env.Quick {
		return all
	}
	return append(all, oneShotCase(env), herdCase(env), crowdCase(env))
}

// bytesText prints a size: 256 B, 64 KiB, 1 MiB.
func bytesText(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d B", n)
	}
}
