package cache

import (
	"context"
	"time"
)

// VerifyOptions configures [Store.Verify]. The zero value of each field is its default.
type VerifyOptions struct {
	// BytesPerSecond bounds how fast entries are read, on average: one is read in one go. 0 means as fast as they can be.
	BytesPerSecond int64
	// Progress is told after every 256 entries and at the end how far the scrub is. It runs on the
	// caller's goroutine.
	Progress func(VerifyReport)
}

// VerifyReport says what a scrub found.
type VerifyReport struct {
	Entries int64 // looked at
	Bytes   int64 // read
	Corrupt int64 // entries dropped
	Orphans int64 // payload files dropped that nothing referred to
}

// Verify reads everything that is stored and drops what is damaged, then drops orphaned payload
// files (see [Store.Run]). It holds a lease on one entry at a time. Cancelling ctx ends it between two entries, with the
// report so far.
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (VerifyReport, error) {
	if o == nil {
		o = &VerifyOptions{}
	}
	var rep VerifyReport
	start := time.Now()
	for e, err := range s.All(ctx) {
		if err != nil {
			return rep, err
		}
		n, ok := s.verifyEntry(ctx, e.Key)
		rep.Entries++
		rep.Bytes += n
		if !ok {
			rep.Corrupt++
		}
		if o.Progress != nil && rep.Entries%256 == 0 {
			o.Progress(rep)
		}
		if err := pace(ctx, start, rep.Bytes, o.BytesPerSecond); err != nil {
			return rep, err
		}
	}
	n, err := s.dropOrphans(ctx)
	rep.Orphans = n
	if o.Progress != nil {
		o.Progress(rep)
	}
	return rep, s.wrap("verify", err)
}

// pace sleeps until n bytes may have been read.
func pace(ctx context.Context, start time.Time, n, rate int64) error {
	if rate <= 0 {
		return ctx.Err()
	}
	wait := time.Duration(float64(n)/float64(rate)*float64(time.Second)) - time.Since(start)
	if wait <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// verifyEntry reads all of one entry. An entry that is gone meanwhile is fine.
func (s *Store) verifyEntry(ctx context.Context, key Key) (n int64, ok bool) {
	if err := s.begin(ctx); err != nil {
		return 0, true
	}
	defer s.end()
	a, err := s.leaseRecord(&key)
	if a == nil || err != nil {
		return 0, true
	}
	defer a.Release()
	items, err := a.table()
	if err != nil {
		return 0, false
	}
	for i := range items {
		it := &items[i]
		if it.kind == itemSymlink {
			continue
		}
		n += it.size
		if err := a.scrub(it); err != nil {
			return n, false
		}
	}
	return n, true
}

// scrub hashes one item where it stands.
func (a *Artifact) scrub(it *item) error {
	if it.inline() {
		_, err := a.verifiedBytes(it)
		return err
	}
	f, err := a.openPayload(it)
	if err != nil {
		return err
	}
	return a.rehash(it, f)
}
