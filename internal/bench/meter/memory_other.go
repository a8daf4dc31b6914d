//go:build !linux

package meter

import (
	"errors"
	"fmt"
)

var errNoProc = fmt.Errorf("bench: memory of a process is read from /proc: %w", errors.ErrUnsupported)

func readMemory() (Memory, error) { return Memory{}, errNoProc }

func resetPeak() error { return errNoProc }
