//go:build !unix

package ipc

import (
	"errors"
	"os"
)

func setBuffers(_ *os.File, size int) error {
	if size == 0 {
		return nil
	}
	return errors.ErrUnsupported
}
