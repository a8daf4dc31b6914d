package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/larderbuild/larder/internal/bench/content"
	"github.com/larderbuild/larder/internal/bench/meter"
	"github.com/larderbuild/larder/internal/bench/peer"
)

const jobPut = "put"

type putting struct {
	Dir      string
	Size     int
	Putters  int
	For      time.Duration
	MaxBytes int // ends earlier when so much was put; 0 is no limit
}

// written is what one run of puts gave. Growth is that of the peak resident size since
// the first few puts; it holds mapped files too.
type written struct {
	Puts        int
	PerSecond   float64
	Growth      int64
	MemoryError string
}

// warmPuts make the buffers that a store keeps; memory is counted from then on.
const warmPuts = 16

// put fills a new store with the default options, closes it, and reads every key back
// from a store that was opened anew. Closing and reading back are not in the rate.
func put(ctx context.Context, p putting) (result written, err error) {
	pool := content.NewPool(p.Size)
	s, err := peer.OpenLarder(p.Dir, nil)
	if err != nil {
		return result, err
	}
	op := func(i int) error { return s.Put(content.Key(i), pool.Value(i, p.Size)) }
	result, err = putMeasured(ctx, p, op)
	if err := errors.Join(err, s.Close()); err != nil {
		return written{}, err
	}
	return result, readBack(ctx, p, pool, result.Puts)
}

func putMeasured(ctx context.Context, p putting, op func(int) error) (result written, err error) {
	warm := meter.Load{Workers: p.Putters, Count: max(warmPuts, p.Putters)}
	if _, _, err := meter.Rate(ctx, warm, op); err != nil {
		return result, err
	}
	memoryErr := meter.ResetPeak()
	before, err := meter.ReadMemory()
	memoryErr = errors.Join(memoryErr, err)

	load := meter.Load{Workers: p.Putters, For: p.For, Count: p.MaxBytes / p.Size}
	result.Puts, result.PerSecond, err = meter.Rate(ctx, load, func(i int) error {
		return op(i + warm.Count)
	})
	if err != nil {
		return written{}, err
	}
	result.Puts += warm.Count
	after, err := meter.ReadMemory()
	if err := errors.Join(memoryErr, err); err != nil {
		result.MemoryError = err.Error()
	}
	result.Growth = after.PeakRSS - before.PeakRSS
	return result, nil
}

func readBack(ctx context.Context, p putting, pool *content.Pool, n int) error {
	s, err := peer.OpenLarder(p.Dir, nil)
	if err != nil {
		return err
	}
	_, _, err = meter.Rate(ctx, meter.Load{Workers: 2, Count: n}, func(i int) error {
		value, err := s.Get(content.Key(i))
		if err != nil {
			return fmt.Errorf("read back key %d of %d: %w", i, n, err)
		}
		if !bytes.Equal(value, pool.Value(i, p.Size)) {
			return fmt.Errorf("read back key %d of %d: other bytes than were put", i, n)
		}
		return nil
	})
	return errors.Join(err, s.Close())
}
