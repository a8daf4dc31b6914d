//go:build !unix && !windows

package place

import (
	"errors"
	"os"
	"syscall"
)

const openNonblock = 0

func aboutPair(syscall.Errno) bool { return false }
func fatal(syscall.Errno) bool     { return false }
func otherVolume(error) bool       { return false }
func volumeOf(*os.File) volume     { return volume{} }

func copyRange(*os.File, *os.File, int64, int) (int, error) { return 0, errors.ErrUnsupported }

func linkFile(*os.File, *folder, string) error {
	return &refusedError{op: linking, cause: errors.ErrUnsupported}
}
