package place

import (
	"context"
	"io"
	"os"
	"sync"
)

// bufferSize is where larger buffers stopped paying; it is also how often a context is asked.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// transfer reads src from offset at to its end and writes it to dst in order. A read error is a
// [*SourceError].
func transfer(ctx context.Context, dst io.Writer, src io.ReaderAt, at int64) (n int64, err error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, rerr := src.ReadAt(buf[:], at+n)
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

// rangeSize bounds one kernel copy, so that a context is asked now and then. The kernel itself
// stops at 2 GiB less a page.
const rangeSize = 16 << 20

// copyRanges lets the kernel copy up to size bytes and returns how far it came. Any refusal, and a
// 0 that some files answer although they have content, just ends it: reading and writing go on
// from there and report what is really wrong.
func copyRanges(ctx context.Context, sys kernel, dst, src *os.File, size int64) (int64, error) {
	var at int64
	for at < size {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		n, err := sys.copyRange(dst, src, at, int(min(size-at, rangeSize)))
		if err != nil || n <= 0 {
			break
		}
		at += int64(n)
	}
	return at, nil
}
