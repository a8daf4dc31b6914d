//go:build !linux

package meter

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func adoptOrphans() error {
	return fmt.Errorf("bench: CPU time of orphans needs a child subreaper: %w", errors.ErrUnsupported)
}

func reap(context.Context) (time.Duration, error) { return 0, errors.ErrUnsupported }
