package buildabi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTick shows that a session looks at the board every 500 ms while there is fuzzing, and else
// waits for nothing but a change. It can only be told from inside: a look sends nothing by itself.
func TestTick(t *testing.T) {
	for _, c := range []struct {
		name    string
		fuzz    *Fuzz
		waits   time.Duration
		stopped bool
	}{
		{"fuzzing", new(Fuzz), 500 * time.Millisecond, false},
		{"no fuzzing", nil, time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := session{board: NewBoard(nil), timer: time.NewTimer(0), view: view{fuzz: c.fuzz}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				start := time.Now()
				err := s.wait(ctx)
				stopped := errors.Is(err, context.DeadlineExceeded)
				if d := time.Since(start); d != c.waits || stopped != c.stopped {
					t.Errorf("waited %v, %v; want %v", d, err, c.waits)
				}
			})
		})
	}
}
