package goprog

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
)

// Entry is one output in a [Table] and on disk.
type Entry struct {
	Output ID
	Size   int64
	Path   string // absolute
}

// Handler answers requests. Serve calls it from one goroutine.
type Handler interface {
	Get(action ID) (Entry, bool)
	Put(action, output ID, body []byte) (path string, err error)
}

// Serve answers until the go command says close or ends the input. Answers are written when no request waits.
func Serve(r io.Reader, w io.Writer, h Handler) error {
	s := &server{in: bufio.NewReaderSize(r, 64<<10), out: bufio.NewWriterSize(w, 64<<10), h: h}
	s.enc = json.NewEncoder(s.out)
	if err := s.answer(&response{KnownCommands: []string{get, put, closeDown}}); err != nil {
		return err
	}
	for {
		more, err := s.next()
		if err == io.EOF {
			return s.out.Flush()
		}
		if err != nil || !more {
			return err
		}
	}
}

type server struct {
	in  *bufio.Reader
	out *bufio.Writer
	enc *json.Encoder
	h   Handler
}

// answer writes one response, at once when nobody waits for the next.
func (s *server) answer(resp *response) error {
	if err := s.enc.Encode(resp); err != nil {
		return err
	}
	if s.in.Buffered() > 1 { // a single byte is the empty line that ends a request
		return nil
	}
	return s.out.Flush()
}

// next handles one line. It returns false after close.
func (s *server) next() (more bool, err error) {
	line, err := s.in.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	if len(line) <= 1 {
		return true, nil
	}
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		return false, fmt.Errorf("goprog: request: %w", err)
	}
	resp := &response{ID: req.ID}
	switch req.Command {
	case get:
		s.get(&req, resp)
	case put:
		if err := s.put(&req, resp); err != nil {
			return false, err
		}
	case closeDown:
		return false, s.close(resp)
	default:
		resp.Err = "unknown command"
	}
	return true, s.answer(resp)
}

func (s *server) close(resp *response) error {
	if err := s.enc.Encode(resp); err != nil {
		return err
	}
	return s.out.Flush()
}

func (s *server) get(req *request, resp *response) {
	e, ok := s.h.Get(ID(req.ActionID))
	if !ok {
		resp.Miss = true
		return
	}
	resp.OutputID, resp.Size, resp.DiskPath = e.Output[:], e.Size, e.Path
}

func (s *server) put(req *request, resp *response) error {
	body, err := s.body(req.BodySize)
	if err != nil {
		return fmt.Errorf("goprog: body: %w", err)
	}
	resp.DiskPath, err = s.h.Put(ID(req.ActionID), ID(req.OutputID), body)
	if err != nil {
		resp.Err = err.Error()
	}
	return nil
}

func (s *server) body(size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	line := []byte{'\n'}
	for len(line) <= 1 {
		var err error
		if line, err = s.in.ReadBytes('\n'); err != nil {
			return nil, err
		}
	}
	if len(line) < 3 || line[0] != '"' || line[len(line)-2] != '"' {
		return nil, fmt.Errorf("line of %d bytes is no string", len(line))
	}
	body := make([]byte, size+2) // base64 counts in threes
	n, err := base64.StdEncoding.Decode(body, line[1:len(line)-2])
	if err == nil && int64(n) != size {
		err = fmt.Errorf("%d bytes, not %d", n, size)
	}
	return body[:min(n, int(size))], err
}
