package meter

import (
	"context"
	"time"
)

// Memory is what this process takes, in bytes.
type Memory struct {
	Anonymous int64 // memory that no file backs: the honest figure
	PeakRSS   int64 // largest resident size since the start or [ResetPeak], mapped files included
}

// MB is bytes in millions.
func MB(bytes int64) float64 { return float64(bytes) / 1e6 }

// ReadMemory reads both figures. Systems without /proc return errors.ErrUnsupported.
func ReadMemory() (Memory, error) { return readMemory() }

// ResetPeak makes PeakRSS begin anew at the present resident size.
func ResetPeak() error { return resetPeak() }

// PeakAnonymous runs work and samples the anonymous memory beside it every 20 ms, and
// returns the largest value seen; a shorter peak is missed.
func PeakAnonymous(ctx context.Context, work func(context.Context) error) (int64, error) {
	done := make(chan struct{})
	result := make(chan error, 1)
	go func() { // ends with work; waited for below
		defer close(done)
		result <- work(ctx)
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var peak int64
	var failed error
	for {
		m, err := readMemory()
		if err != nil {
			failed = err
		}
		peak = max(peak, m.Anonymous)
		select {
		case <-tick.C:
		case <-done:
			if err := <-result; err != nil {
				return 0, err
			}
			return peak, failed
		}
	}
}
