package index

import (
	"errors"
	"fmt"

	"github.com/larderbuild/larder/internal/vfs"
)

// damagedf makes an error that is ErrDamaged.
func damagedf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// damageOf says that a file that is lost is damage. Other errors are no reason to throw an index
// away.
func damageOf(err error) error {
	if vfs.IsLost(err) && !errors.Is(err, ErrDamaged) {
		return damagedf("%w", err)
	}
	return err
}
