//go:build !linux && !darwin

package place

import (
	"errors"
	"os"
)

// cloneFile knows no way to clone. The error is not the kernel's, so nothing is tried a second
// time in vain either.
func cloneFile(*os.File, *folder, string) (*os.File, error) {
	return nil, &refusedError{op: cloning, cause: errors.ErrUnsupported}
}
