package framelog

import "fmt"

// Limits of the format.
const (
	maxSegmentBytes = 2 << 30 // bytes of a segment, and of a group
	maxMaxBody      = 1 << 30
	maxSegment      = 1<<63 - 1 // highest id of a segment
	maxRoster       = 1 << 20   // bytes of a roster's body
)

// Options describe a log. ID is required; the zero value of every other field is its default.
type Options struct {
	// ID is the log's own random name. It is made once, covered by every checksum, and must
	// not be zero.
	ID [16]byte

	// SegmentBytes is the size at which a new segment is begun; 0 means 64 MiB, at most 2
	// GiB. A group never spans segments: a larger one makes a larger segment.
	SegmentBytes int64

	// MaxBody bounds a frame's body in bytes; 0 means 64 MiB, at most 1 GiB. Longer frames
	// that are in the log already count as damage, so do not lower it.
	MaxBody int

	// MinSegment is the lowest id of a new segment. An owner that holds positions from an
	// earlier life passes one more than their highest segment: a crash may have lost that
	// segment, and a position must never come to name another frame.
	MinSegment uint64

	// MaxOpen bounds the files that are kept open for reading; 0 means 64. Files with
	// unsynced bytes come on top.
	MaxOpen int
}

// withDefaults returns a checked copy.
func (o *Options) withDefaults() (Options, error) {
	if o == nil {
		o = &Options{}
	}
	c := *o
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 64 << 20
	}
	if c.MaxBody == 0 {
		c.MaxBody = 64 << 20
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = 64
	}
	return c, c.check()
}

func (o *Options) check() error {
	switch {
	case o.ID == [16]byte{}:
		return fmt.Errorf("framelog: options: ID is zero")
	case o.SegmentBytes < 0 || o.SegmentBytes > maxSegmentBytes:
		return fmt.Errorf("framelog: options: SegmentBytes %d is not in 0..%d", o.SegmentBytes, maxSegmentBytes)
	case o.MaxBody < 0 || o.MaxBody > maxMaxBody:
		return fmt.Errorf("framelog: options: MaxBody %d is not in 0..%d", o.MaxBody, maxMaxBody)
	case o.MinSegment > maxSegment:
		return fmt.Errorf("framelog: options: MinSegment %d is above %d", o.MinSegment, uint64(maxSegment))
	case o.MaxOpen < 0:
		return fmt.Errorf("framelog: options: MaxOpen %d is negative", o.MaxOpen)
	}
	return nil
}
