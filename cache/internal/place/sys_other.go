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

func linkFile(*os.File, *folder, string) error {
	return &refusedError{op: linking, cause: errors.ErrUnsupported}
}
