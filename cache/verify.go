package cache

import (
	"context"
	"errors"
	"time"

	"github.com/larderbuild/larder/internal/vfs"
)

// VerifyOptions configures [Store.Verify]. The zero value of each field is its default.
type VerifyOptions struct {
	// BytesPerSecond bounds how fast content is read, on average. 0 means as fast as it can be.
	BytesPerSecond int64
	// Progress is told ten times a second, and at the end, how far the scrub is. It runs on the
	// caller's goroutine.
	Progress func(VerifyReport)
}

// progressEvery is how often Verify tells how far it is.
const progressEvery = 100 * time.Millisecond

// VerifyReport says what a scrub found.
type VerifyReport struct {
	Entries int64 // looked at
	Bytes   int64 // read
	Corrupt int64 // entries dropped
	Orphans int64 // payload files dropped that nothing referred to
}

// Verify reads everything that is stored and drops what is damaged, then drops orphaned payload
// files (see [Store.Run]). It holds a lease on one entry at a time. Cancelling ctx ends it at once,
// with the report so far.
func (s *Store) Verify(ctx context.Context, o *VerifyOptions) (VerifyReport, error) {
	if o == nil {
		o = &VerifyOptions{}
	}
	var rep VerifyReport
	start := time.Now()
	told := start
	took := func(n int64) error {
		rep.Bytes += n
		if o.Progress != nil && time.Since(told) >= progressEvery {
			told = time.Now()
			o.Progress(rep)
		}
		return pace(ctx, start, rep.Bytes, o.BytesPerSecond)
	}
	for e, err := range s.All(ctx) {
		if err != nil {
			return rep, err
		}
		rep.Entries++
		sound, err := s.verifyEntry(ctx, e.Key, took)
		if err != nil {
			return rep, err
		}
		if !sound {
			rep.Corrupt++
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
		return context.Cause(ctx)
	}
	wait := time.Duration(float64(n)/float64(rate)*float64(time.Second)) - time.Since(start)
	if wait <= 0 {
		return context.Cause(ctx)
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

// verifyEntry reads all of one entry and reports whether it is sound. It tells took of the bytes as
// they are read, and ends with its error. An entry that is gone meanwhile is fine.
func (s *Store) verifyEntry(ctx context.Context, key Key, took func(n int64) error) (sound bool, err error) {
	if err := s.begin(ctx); err != nil {
		return true, nil
	}
	defer s.end()
	a, err := s.leaseRecord(&key)
	if a == nil || err != nil {
		return true, nil
	}
	defer a.Release()
	items, err := a.use()
	if err != nil {
		return false, nil
	}
	defer s.end()
	for i := range items {
		it := &items[i]
		if it.kind == itemSymlink {
			continue
		}
		err := a.scrub(it, took)
		if stop, ok := errors.AsType[*stopError](err); ok {
			return true, stop.error
		}
		if err != nil {
			return false, nil
		}
	}
	return true, nil
}

// scrub hashes one item where it stands.
func (a *Artifact) scrub(it *item, took func(n int64) error) error {
	if it.inline() {
		if _, err := a.verifiedBytes(it); err != nil {
			return err
		}
		return stopOf(took(it.size))
	}
	f, err := a.openPayload(it)
	if err != nil {
		return err
	}
	return a.rehash(it, &metered{f, took})
}

// metered is a file that tells of what is read, and is read no further when that says so.
type metered struct {
	vfs.File
	took func(n int64) error
}

// Read reads from the file.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.File.Read(p)
	if stop := stopOf(m.took(int64(n))); stop != nil {
		return n, stop
	}
	return n, err
}

// stopError ends reading, and says nothing of what is read.
type stopError struct{ error }

func stopOf(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}
