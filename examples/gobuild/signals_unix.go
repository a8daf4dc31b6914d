//go:build unix

package main

import (
	"errors"
	"os/signal"
	"syscall"
)

// ignoreSignals leaves the end of this process to the end of its input. SIGPIPE is
// among them because a write to a go command that is gone would kill the process
// with the store open.
func ignoreSignals() {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
}

// isGone reports whether a write failed because nobody reads any more.
func isGone(err error) bool { return errors.Is(err, syscall.EPIPE) }
