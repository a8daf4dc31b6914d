package echo

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
)

// The floor is what a simple correct loop over [net.UnixConn] does: a length of 4 bytes and the
// message, in one buffer that is written at once. The server answers all that it has read with one
// write.

// pipeline is how many messages the pipelined client writes at once.
const pipeline = 64

const prefix = 4

// serveConns listens and runs serve for every connection.
func serveConns(dir string, serve func(net.Conn)) (stop func(), err error) {
	l, err := net.Listen("unix", socketIn(dir))
	if err != nil {
		return nil, err
	}
	go func() { // ends with the listener; connections end with their clients
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return func() { l.Close() }, nil
}

func serveSocket(dir string) (stop func(), err error) {
	return serveConns(dir, func(conn net.Conn) {
		defer conn.Close()
		echoFrames(conn)
	})
}

// echoFrames answers until the other end closes.
func echoFrames(conn io.ReadWriter) error {
	in, out := &frames{r: conn}, []byte(nil)
	for {
		message, err := in.next()
		if err != nil {
			return err
		}
		out = appendFrame(out, message)
		if in.complete() {
			continue
		}
		if _, err := conn.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
}

func appendFrame(b, message []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(message)))
	return append(b, message...)
}

// frames reads messages, as many bytes at once as are there.
type frames struct {
	r          io.Reader
	buf        []byte
	begin, end int // of what was read and not yet returned
}

// complete reports whether next will not have to wait.
func (f *frames) complete() bool {
	rest := f.buf[f.begin:f.end]
	return len(rest) >= prefix && len(rest) >= prefix+int(binary.LittleEndian.Uint32(rest))
}

// next returns the next message, valid until the one after.
func (f *frames) next() ([]byte, error) {
	if err := f.fill(prefix); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(f.buf[f.begin:]))
	if n > 64<<20 {
		return nil, errors.New("bench: message too large")
	}
	if err := f.fill(prefix + n); err != nil {
		return nil, err
	}
	message := f.buf[f.begin+prefix : f.begin+prefix+n]
	f.begin += prefix + n
	return message, nil
}

// fill reads until n bytes are there.
func (f *frames) fill(n int) error {
	if f.end-f.begin >= n {
		return nil
	}
	copy(f.buf, f.buf[f.begin:f.end])
	f.begin, f.end = 0, f.end-f.begin
	if len(f.buf) < n {
		grown := make([]byte, max(n, 32<<10))
		copy(grown, f.buf[:f.end])
		f.buf = grown
	}
	read, err := io.ReadAtLeast(f.r, f.buf[f.end:], n-f.end)
	f.end += read
	return err
}

// frameSession sends frames over any connection.
type frameSession struct {
	conn  io.ReadWriteCloser
	batch int
	also  func() error // closes what lies below; may be nil
}

func dialSocket(ctx context.Context, dir string) (Session, error) {
	return dialFrames(ctx, dir, 1)
}

func dialPipelined(ctx context.Context, dir string) (Session, error) {
	return dialFrames(ctx, dir, pipeline)
}

func dialFrames(ctx context.Context, dir string, batch int) (Session, error) {
	conn, err := dialUnix(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &frameSession{conn: conn, batch: batch}, nil
}

func dialUnix(ctx context.Context, dir string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", socketIn(dir))
}

func (s *frameSession) Caller() Call {
	in, out := &frames{r: s.conn}, []byte(nil)
	return func(message []byte) (answer []byte, err error) {
		out = out[:0]
		for range s.batch {
			out = appendFrame(out, message)
		}
		if _, err := s.conn.Write(out); err != nil {
			return nil, err
		}
		for range s.batch {
			if answer, err = in.next(); err != nil {
				return nil, err
			}
		}
		return answer, nil
	}
}

func (s *frameSession) Close() error {
	err := s.conn.Close()
	if s.also != nil {
		err = errors.Join(err, s.also())
	}
	return err
}
