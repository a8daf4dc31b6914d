//go:build solaris || aix || (!unix && !windows)

package filelock

import (
	"errors"
	"os"
)

func try(*os.File, bool) error { return errors.ErrUnsupported }
