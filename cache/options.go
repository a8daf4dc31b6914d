package cache

import (
	"fmt"
	"log/slog"
	"time"
)

// Durability says what an acknowledged Put survives besides the death of the process, which
// loses nothing acknowledged in any mode. After a power loss an entry is absent or
// complete and verified, never wrong.
type Durability uint8

const (
	// Group acknowledges after the log write and makes it durable within 100 ms while Run is
	// running, and otherwise with the first commit after 100 ms, Sync or Close.
	Group Durability = iota
	// None never forces anything to disk except in Sync and Close.
	None
	// Always acknowledges after an fsync, which concurrent callers share.
	Always
)

// Limits and defaults.
const (
	defaultInline      = 1 << 10
	maxInline          = 4 << 10
	maxInlineTotal     = 256 << 10 // of one artifact
	maxMetadata        = 64 << 10
	maxName            = 4 << 10
	defaultReserve     = 256 << 20
	defaultParkAfter   = 30 * time.Second
	defaultVerifyAfter = 24 * time.Hour
	syncInterval       = 100 * time.Millisecond
)

// Options configures a [Store]. The zero value of each field is its default; nil stands for the
// zero Options.
type Options struct {
	// InlineBelow is the largest output in bytes that lives in the log and not in a file of its
	// own: 0 means 1 KiB, negative means none, at most 4 KiB. Streams and metadata count as
	// outputs. Once 256 KiB of an artifact are in the log, all that it gets after that is in files.
	InlineBelow int
	// Durability is Group by default.
	Durability Durability
	// Reserve is how many bytes of the volume stay free: below it puts fail with ErrNoSpace and the
	// index is not written. 0 means 256 MiB, negative means none: then, as when another process
	// eats it, puts fail when the disk is full.
	Reserve int64
	// ParkAfter is how long after the last verb Run closes the index and gives its memory back. The
	// next verb opens it again. 0 means 30 s, negative means never.
	ParkAfter time.Duration
	// LockWait is how long Open waits for another owner of the root: 0 fails at once, negative
	// waits until the context ends.
	LockWait time.Duration
	// VerifyAfter is how long a payload's hash is believed while its file's size, mtime, inode and
	// link count stay. 0 means 24 h, negative means for ever.
	VerifyAfter time.Duration
	// Logger receives what no returned error can tell. Its handler may be called with locks of the
	// store held, and must not call the store. Nil is silent.
	Logger *slog.Logger
	// OnCorrupt is told of every entry dropped because its bytes were wrong, and of other damage.
	// It runs on the goroutine of a verb, of Open or of Run, with no lock held, and may call the
	// store.
	OnCorrupt func(Corruption)
	// Now is the clock that stamps entries; nil means [time.Now].
	Now func() time.Time
}

// withDefaults copies o, fills in defaults and refuses what makes no sense.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.InlineBelow > maxInline {
		return c, fmt.Errorf("cache: open: Options.InlineBelow is %d, more than %d",
			c.InlineBelow, maxInline)
	}
	if c.Durability > Always {
		return c, fmt.Errorf("cache: open: Options.Durability is %d, which is no Durability",
			c.Durability)
	}
	c.InlineBelow = orDefault(c.InlineBelow, defaultInline)
	c.Reserve = orDefault(c.Reserve, defaultReserve)
	c.ParkAfter = orDefault(c.ParkAfter, defaultParkAfter)
	c.VerifyAfter = orDefault(c.VerifyAfter, defaultVerifyAfter)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
