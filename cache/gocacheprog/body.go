package gocacheprog

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

var (
	// errAbandoned is a body that stops where the next request or the end of input is.
	// The go command leaves one when it cannot read a file to its end; it forgets the
	// request then, and an answer with that ID would end it.
	errAbandoned = errors.New("the go command gave the body up")
	// errBody is a body that is not what its request announced.
	errBody = errors.New("the body is not what was announced")
	// errChanged is a whole body whose SHA-256 is not its output ID: the file changed
	// while the go command read it, once to name it and once to send it.
	errChanged = errors.New("the body does not have its output ID")
)

// abandonedBy does not wrap: the end of the input must not pass for the end of a body.
func abandonedBy(err error) error { return fmt.Errorf("%w: %v", errAbandoned, err) }

// body decodes the JSON string that follows a put, as a stream. It ends with io.EOF
// only when the string was closed, has the announced size and has the SHA-256 that is
// its output ID. Every other end is one of the errors above, and stays.
type body struct {
	in     *input
	size   int64 // announced
	output []byte
	hash   hash.Hash

	n      int64 // decoded so far
	opened bool  // the opening quote was read
	padded bool  // base64 padding was read, so nothing may follow
	carry  []byte
	spare  [3]byte
	err    error
}

func newBody(in *input, q *request) *body {
	b := &body{in: in, size: q.BodySize, output: q.OutputID, hash: sha256.New()}
	switch {
	case q.BodySize < 0:
		b.err = fmt.Errorf("%w: its size is negative", errBody)
	case q.BodySize == 0:
		b.err = b.check() // no body line is written for an empty output
	}
	return b
}

// Read decodes into p.
func (b *body) Read(p []byte) (n int, err error) {
	for n == 0 && len(p) > 0 {
		switch {
		case len(b.carry) > 0:
			n = copy(p, b.carry)
			b.carry = b.carry[n:]
		case b.err != nil:
			return 0, b.err
		case len(p) < len(b.spare):
			n, b.err = b.decode(b.spare[:])
			b.carry, n = b.spare[:n], 0
		default:
			n, b.err = b.decode(p)
		}
	}
	return n, nil
}

// readInto reads the whole body into dst, which has its announced size, and says how it
// ended.
func (b *body) readInto(dst []byte) ([]byte, error) {
	n, err := io.ReadFull(b, dst)
	if err != nil {
		return dst[:n], b.err
	}
	return dst, b.drain()
}

// drain reads what is left of the body, so that the next request can be read, and
// returns how the body ended.
func (b *body) drain() error {
	var scratch [512]byte
	for {
		if _, err := b.Read(scratch[:]); err != nil {
			return err
		}
	}
}

// decode reads one buffer of input into p, which has room for three bytes at least.
func (b *body) decode(p []byte) (int, error) {
	if err := b.open(); err != nil {
		return 0, err
	}
	window, end, err := b.window()
	switch {
	case end < 0 && err != nil:
		return 0, abandonedBy(err)
	case end == 0:
		b.in.r.Discard(1)
		return 0, b.check()
	case end > 0:
		window = window[:end]
	}
	text := window[:min(len(window)/4, len(p)/3)*4]
	if len(text) == 0 || b.padded || b.n > b.size {
		return 0, b.skip()
	}
	n, err := decodeBase64(p, text)
	if err != nil {
		return 0, b.skip()
	}
	b.in.r.Discard(len(text))
	b.padded = text[len(text)-1] == '='
	b.hash.Write(p[:n])
	b.n += int64(n)
	return n, nil
}

// open reads up to the opening quote.
func (b *body) open() error {
	for !b.opened {
		c, err := b.in.r.ReadByte()
		switch {
		case err != nil:
			return abandonedBy(err)
		case c == '"':
			b.opened = true
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			b.in.r.UnreadByte()
			return errBody
		}
	}
	return nil
}

// window returns input that can be read without blocking: at least four characters, or
// what comes before the closing quote, which is at end when that is not negative.
func (b *body) window() (window []byte, end int, err error) {
	for {
		window, err = b.in.r.Peek(max(1, len(window)+1, b.in.r.Buffered()))
		end = bytes.IndexByte(window, '"')
		if end >= 0 || len(window) >= 4 || err != nil {
			return window, end, err
		}
	}
}

// check ends a body whose string was closed.
func (b *body) check() error {
	if b.n != b.size {
		return fmt.Errorf("%w: %d bytes announced, %d read", errBody, b.size, b.n)
	}
	if sum := b.hash.Sum(nil); !bytes.Equal(sum, b.output) {
		return errChanged
	}
	return io.EOF
}

// skip finds the end of a body that cannot be decoded: the closing quote, the end of
// the line, or the next request, which is left to be read.
func (b *body) skip() error {
	for {
		window, err := b.in.r.Peek(max(1, b.in.r.Buffered()))
		i := bytes.IndexAny(window, "\"{\n")
		switch {
		case i >= 0 && window[i] == '{':
			b.in.r.Discard(i)
			return errAbandoned
		case i >= 0:
			b.in.r.Discard(i + 1)
			return fmt.Errorf("%w: it is not base64 of %d bytes", errBody, b.size)
		case err != nil:
			return abandonedBy(err)
		}
		b.in.r.Discard(len(window))
	}
}
