//go:build !linux

package machine

import (
	"errors"
	"fmt"
)

func onOneCPU(func() error) error {
	return fmt.Errorf("bench: processes cannot be kept on one CPU: %w", errors.ErrUnsupported)
}
