package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/larderbuild/larder/cache"
)

func runVerify(c *call) (int, error) {
	flags := c.flags()
	dir := dirFlag(flags)
	var rate size
	flags.Var(&rate, "rate", "read at most so many `bytes` a second (default: as fast as possible)")
	if err := c.parse(flags, 0); err != nil {
		return exitUsage, err
	}
	return c.onStore(*dir, (*reach).ensure, func(ctx context.Context, _ string, s *cache.Store) (int, error) {
		rep, err := s.Verify(ctx, &cache.VerifyOptions{BytesPerSecond: int64(rate)})
		_, said := fmt.Fprintf(c.stdout, "%d outputs, %s read: %d damaged and dropped, %d files removed that nothing referred to\n",
			rep.Entries, formatBytes(rep.Bytes), rep.Corrupt, rep.Orphans)
		err = errors.Join(err, said)
		if rep.Corrupt > 0 {
			return exitFailure, err
		}
		return exitOK, err
	})
}
