package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code := exitOK
	err := withStore(ctx, *dir, patience, func(_ string, s *cache.Store) error {
		rep, err := s.Verify(ctx, &cache.VerifyOptions{BytesPerSecond: int64(rate)})
		fmt.Fprintf(c.stdout, "%d outputs, %s read: %d damaged and dropped, %d files removed that nothing referred to\n",
			rep.Entries, formatBytes(rep.Bytes), rep.Corrupt, rep.Orphans)
		if rep.Corrupt > 0 {
			code = exitFailure
		}
		return err
	})
	return code, err
}
