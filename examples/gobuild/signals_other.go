//go:build !unix

package main

import (
	"os"
	"os/signal"
)

// ignoreSignals leaves the end of this process to the end of its input.
func ignoreSignals() { signal.Ignore(os.Interrupt) }
