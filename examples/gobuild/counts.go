package main

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/larderbuild/larder/cache/gocacheprog"
)

// counts are what a serving process tells the demonstration, through a file: the go
// command stands between the two. The numbers are its fields in order, eight bytes each.
type counts struct {
	Gets     int64 `json:"gets"`
	Hits     int64 `json:"hits"`
	Puts     int64 `json:"puts"`
	Kept     int64 `json:"kept"`
	Refused  int64 `json:"refused"`
	PutBytes int64 `json:"put_bytes"`
}

// countEvery is how often they are written and read.
const countEvery = 200 * time.Millisecond

func countsOf(c *gocacheprog.Counters) counts {
	return counts{
		Gets: c.Gets.Load(), Hits: c.Hits.Load(), Puts: c.Puts.Load(),
		Kept: c.Kept.Load(), Refused: c.Refused.Load(), PutBytes: c.PutBytes.Load(),
	}
}

// writeCounts writes the counters to a file now and then, and once more when stop is
// called, which ends it. Without a name it does nothing.
func writeCounts(name string, c *gocacheprog.Counters) (stop func() error) {
	if name == "" {
		return func() error { return nil }
	}
	end, done := make(chan struct{}), make(chan error)
	go func() { // ends with stop
		tick := time.NewTicker(countEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				countsOf(c).write(name)
			case <-end:
				done <- countsOf(c).write(name)
				return
			}
		}
	}()
	return func() error {
		close(end)
		return <-done
	}
}

// write replaces the file's bytes in place: they are few enough for one write.
func (c counts) write(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(binary.Write(f, binary.LittleEndian, c), f.Close())
}

// readCounts returns zeros before the first write.
func readCounts(name string) (c counts, err error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer f.Close()
	return c, binary.Read(f, binary.LittleEndian, &c)
}
