//go:build !unix && !windows

package lifecycle

import (
	"errors"
	"os"
)

// Inherit does nothing: there are no endpoints on this system.
func (s *SpawnInfo) Inherit(*os.ProcAttr) string { return "" }

func keepHere(uintptr) error { return errors.ErrUnsupported }

func endRead(f *os.File, read <-chan error) error {
	f.Close()
	return <-read
}
