package place

import (
	"context"
	"io"
	"sync"
)

// bufferSize is where larger buffers stopped paying; it is also how often a context is asked.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// transfer reads src from its beginning to its end, whatever its offset is, and writes it to dst. A
// read error is a [*SourceError].
func transfer(ctx context.Context, dst io.Writer, src io.ReaderAt) (n int64, err error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, rerr := src.ReadAt(buf[:], n)
		if got > 0 {
			if _, err := dst.Write(buf[:got]); err != nil {
				return n, err
			}
			n += int64(got)
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, &SourceError{Err: rerr}
		}
	}
}
