//go:build solaris || aix || (!unix && !windows)

package cache

import (
	"errors"
	"os"
)

func tryLock(*os.File) error { return errors.ErrUnsupported }
