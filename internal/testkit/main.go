package testkit

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// Role is what the test binary does as a child process: args are those of [Start], the
// result is the exit code. Standard input and output are pipes to the test.
type Role func(args []string) int

// Options are for [Main]; nil and the zero value mean no roles and no leaks allowed.
type Options struct {
	// Roles are what [Start] can start, by name.
	Roles map[string]Role
	// Self is the role of children that the code under test starts by itself, as a program does that
	// starts itself in the background. "" makes them run the tests.
	Self string
	// Known are goroutines of dependencies that live as long as the process: each is a
	// part of the stack trace, such as the name of the function that the goroutine runs.
	Known []string
	// Wait bounds how long goroutines and descriptors may take to go away after the last
	// test. 0 is 5 s.
	Wait time.Duration
}

// Main runs the tests of m, a [*testing.M], and returns the exit code for TestMain: not 0 when
// a test failed, or when goroutines or (on Linux) file descriptors are left that were not
// there before. It prints those to standard error. In a child process it plays the role.
func Main(m interface{ Run() int }, o *Options) int {
	if o == nil {
		o = new(Options)
	}
	if name := os.Getenv(roleVariable); name != "" {
		return play(name, o.Roles)
	}
	if o.Self != "" {
		os.Setenv(roleVariable, o.Self)
	}
	// What is there already may stay, such as the descriptors that a parent process left open.
	stacks, files := goroutines(), descriptors()
	code := m.Run()
	if code != 0 {
		return code // a failed test may not have cleaned up: no second complaint
	}
	wait := o.Wait
	if wait == 0 {
		wait = 5 * time.Second
	}
	left := settle(wait, func() []string {
		return append(leakedGoroutines(stacks, o.Known), leakedDescriptors(files)...)
	})
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintf(os.Stderr, "testkit: left after the last test:\n%s\n", strings.Join(left, "\n"))
	return 1
}

// settle asks again until nothing is left or the time is up. Polling is right here and
// nowhere else: a goroutine that has closed its last channel still needs a moment to end,
// and no event tells of that end.
func settle(wait time.Duration, left func() []string) []string {
	// A collection would close the files that nobody refers to any more, and hide them.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	deadline := time.After(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		list := left()
		if len(list) == 0 {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-deadline:
			return list
		}
	}
}
