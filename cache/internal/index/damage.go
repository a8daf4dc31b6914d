package index

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// damagedf makes an error that is ErrDamaged.
func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// damageOf says that a missing file or a device that cannot read is damage. Other errors, such as too many
// open files, are no reason to throw an index away.
func damageOf(err error) error {
	if !errors.Is(err, ErrDamaged) && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EIO)) {
		return damagedf("%w", err)
	}
	return err
}
