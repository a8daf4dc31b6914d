package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// ignoreSignals leaves the end of this process to the end of its input.
func ignoreSignals() { signal.Ignore(os.Interrupt) }

// isGone reports whether a write failed because nobody reads any more.
func isGone(err error) bool {
	const noData = syscall.Errno(232)
	return errors.Is(err, noData) || errors.Is(err, syscall.ERROR_BROKEN_PIPE)
}
