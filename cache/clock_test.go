package cache

import (
	"sync/atomic"
	"time"
)

// clock is an [Options.Now] that stands still until it is moved.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.ns.Load()) }

// add moves the clock by seconds.
func (c *clock) add(seconds int64) { c.ns.Add(seconds * int64(time.Second)) }
