package ipc

import (
	"bytes"
	"context"
	"io"
	"os"
)

// fileMin is the size from which on a file's descriptor travels instead of its bytes: below it
// the bytes are as fast.
const fileMin = 64 << 10

// File is an answer that may lie in a file of the server. Its bytes are those of the file when
// the answer was made, as long as nobody writes to it. It must be closed.
type File struct {
	r    io.ReaderAt
	size int64
	f    *os.File // nil if the bytes came in the answer
}

// ReadAt reads as [io.ReaderAt] does.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.r.ReadAt(p, off) }

// Size returns the number of bytes.
func (f *File) Size() int64 { return f.size }

// OS returns the open file, which f goes on to own; ok is false if the bytes came in the answer.
// Its position is shared with whoever else has the file open: use ReadAt.
func (f *File) OS() (file *os.File, ok bool) { return f.f, f.f != nil }

// Close closes the file.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// CallFile calls op. Where the system can, and from 64 KiB on, an answer that lies in a file (see
// [Response]) comes as an open file; otherwise its bytes come. The receiver cannot tell but by
// speed.
func (c *Client) CallFile(ctx context.Context, op uint16, payload []byte) (*File, error) {
	d := deadlineOf(ctx, c.o.Timeout)
	answer, file, err := c.do(nil, &outgoing{op: op, payload: payload, file: passesFiles}, &d)
	if err != nil {
		return nil, err
	}
	if file == nil {
		return &File{bytes.NewReader(answer), int64(len(answer)), nil}, nil
	}
	size := int64(uint64Of(answer))
	return &File{io.NewSectionReader(file, 0, size), size, file}, nil
}
