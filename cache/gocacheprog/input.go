package gocacheprog

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds a request line. The go command's are below 300 bytes. It is also the
// size of the input buffer, one pipe's worth.
const maxLine = 64 << 10

// errNotRequest is a line that is skipped: too long, or a body nobody asked for.
var errNotRequest = errors.New("not a request")

// input takes requests and bodies apart. Only one goroutine at a time may use it.
type input struct {
	r *bufio.Reader
}

func newInput(r io.Reader) *input {
	return &input{bufio.NewReaderSize(r, maxLine)}
}

// pending reports whether a whole line waits in the buffer, so that reading it cannot
// block.
func (in *input) pending() bool {
	buf, _ := in.r.Peek(in.r.Buffered())
	rest := bytes.TrimLeft(buf, " \t\r\n")
	in.r.Discard(len(buf) - len(rest)) // no error: it is buffered
	return bytes.IndexByte(rest, '\n') >= 0
}

// line returns the next line that is not blank, valid until the next call. The last
// one may end without a newline. After errNotRequest the next line can be read.
func (in *input) line() ([]byte, error) {
	for {
		line, err := in.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, errors.Join(errNotRequest, in.skipLine())
		}
		line = bytes.Trim(line, " \t\r\n")
		switch {
		case len(line) > 0 && line[0] == '"':
			return nil, errNotRequest
		case len(line) > 0:
			return line, nil
		case err != nil:
			return nil, err
		}
	}
}

// skipLine drops the rest of a line that does not fit the buffer.
func (in *input) skipLine() error {
	for {
		_, err := in.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return err
	}
}
