package machine

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// onOneCPU changes the thread's CPUs for the time of start: a new process gets those of the thread
// that starts it.
func onOneCPU(start func() error) (err error) {
	runtime.LockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("bench: CPUs: %w", err)
	}
	defer func() {
		if back := unix.SchedSetaffinity(0, &before); back != nil {
			err = errors.Join(err, fmt.Errorf("bench: CPUs: %w", back))
			return // the thread stays locked and ends with its goroutine
		}
		runtime.UnlockOSThread()
	}()
	var one unix.CPUSet
	one.Set(last(&before))
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("bench: CPUs: %w", err)
	}
	return start()
}

// last returns the highest number in the set.
func last(set *unix.CPUSet) int {
	n := 0
	for cpu, left := 0, set.Count(); left > 0; cpu++ {
		if set.IsSet(cpu) {
			n = cpu
			left--
		}
	}
	return n
}
