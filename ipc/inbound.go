package ipc

import (
	"errors"
	"io"
	"os"
	"slices"
	"syscall"
)

const (
	readBufferMin = 4 << 10
	readBufferMax = 64 << 10
	directRead    = 4 << 10 // from here on the rest of a payload is read where it belongs
)

// sink takes what an inbound reads. Its methods are called by the goroutine that reads.
type sink interface {
	// greet takes hello or acknowledgement from the front of p and returns its size, 0 if it is
	// not complete.
	greet(p []byte) (n int, err error)
	// begin takes the header of a frame.
	begin(h header) error
	// body takes the next part of its payload.
	body(p []byte) error
	// room returns where the next of n bytes may be read to, and body then gets that part of it
	// which they fill. It may be shorter or longer than n; nil reads them to the usual buffer.
	room(n int) []byte
	// end comes after the last part.
	end() error
}

// inbound cuts what comes into frames. It can stop anywhere: whoever reads next goes on.
type inbound struct {
	wire *wire
	sink sink

	buf     []byte
	r, w    int    // buf[r:w] was read and not yet used
	direct  []byte // was read to where it belongs, and is to be passed on
	greeted bool
	rest    int   // bytes of the payload that are still to come
	grow    bool  // more would have come with the last read
	passed  int64 // bytes of the connection that were passed on
}

// read reads once, where possible to where it belongs.
func (in *inbound) read() error {
	if in.r == in.w && in.rest >= directRead {
		if p := in.sink.room(in.rest); len(p) > 0 {
			n, err := in.wire.read(p[:min(len(p), in.rest)])
			if err != nil {
				return in.readError(err)
			}
			in.direct = p[:n]
			return nil
		}
	}
	return in.fill()
}

// pass passes on all that is complete of what was read.
func (in *inbound) pass() error {
	if p := in.direct; p != nil {
		in.direct = nil
		return in.part(p)
	}
	full := in.w == len(in.buf)
	err := in.passBuffer()
	in.grow = full && in.rest < directRead // many small frames, not a large one
	return err
}

// fill reads into the buffer.
func (in *inbound) fill() error {
	switch {
	case in.buf == nil:
		in.buf = make([]byte, readBufferMin)
	case in.grow && len(in.buf) < readBufferMax:
		larger := make([]byte, 4*len(in.buf))
		in.w = copy(larger, in.buf[in.r:in.w])
		in.buf, in.r = larger, 0
	case in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	n, err := in.wire.read(in.buf[in.w:])
	if err != nil {
		return in.readError(err)
	}
	in.w += n
	return nil
}

func (in *inbound) passBuffer() error {
	for {
		p := in.buf[in.r:in.w]
		switch {
		case !in.greeted:
			n, err := in.sink.greet(p)
			if err != nil || n == 0 {
				return err
			}
			in.r += n
			in.passed += int64(n)
			in.greeted = true
		case in.rest > 0:
			if len(p) == 0 {
				return nil
			}
			p = p[:min(len(p), in.rest)]
			in.r += len(p)
			if err := in.part(p); err != nil {
				return err
			}
		case len(p) < headerSize:
			return nil
		default:
			in.r += headerSize
			in.passed += headerSize
			if err := in.head(p); err != nil {
				return err
			}
		}
	}
}

func (in *inbound) head(p []byte) error {
	h, err := parseHeader(p)
	if err == nil {
		err = in.sink.begin(h)
	}
	if err != nil {
		return err
	}
	in.rest = int(h.length)
	if in.rest < 0 { // beyond what this processor can count
		return errFrame
	}
	if in.rest == 0 {
		return in.sink.end()
	}
	return nil
}

func (in *inbound) part(p []byte) error {
	in.rest -= len(p)
	in.passed += int64(len(p))
	if err := in.sink.body(p); err != nil {
		return err
	}
	if in.rest == 0 {
		return in.sink.end()
	}
	return nil
}

// growStep is the most memory that a message gets before any of it has come. A larger one gets more
// as it comes.
const growStep = 1 << 20

// withRoom returns b with free space at its end, for a message of which n bytes are still to come.
func withRoom(b []byte, n int) []byte {
	if len(b) == cap(b) {
		b = slices.Grow(b, min(n, max(len(b), growStep)))
	}
	return b
}

// appendRead appends p to b. If p was read to the free space at the end of b, it is there already.
func appendRead(b, p []byte) []byte {
	if free := b[len(b):cap(b)]; len(p) > 0 && len(p) <= len(free) && &p[0] == &free[0] {
		return b[:len(b)+len(p)]
	}
	return append(b, p...)
}

// readError tells the end between frames from the end inside of one.
func (in *inbound) readError(err error) error {
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case !errors.Is(err, io.EOF) && !reset:
		return err
	case in.rest > 0 || in.r < in.w:
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}
