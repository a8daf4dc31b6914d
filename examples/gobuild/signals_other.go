//go:build !unix && !windows

package main

import (
	"os"
	"os/signal"
)

// ignoreSignals leaves the end of this process to the end of its input.
func ignoreSignals() { signal.Ignore(os.Interrupt) }

// isGone reports whether a write failed because nobody reads any more.
func isGone(error) bool { return false }
