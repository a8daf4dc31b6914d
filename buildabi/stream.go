package buildabi

import (
	"errors"
	"net/http"
	"time"
)

// allowTime gives the client the write deadline from now on, whatever the server's own limit says:
// that one counts the time that the host takes, too.
func allowTime(response *http.ResponseController) error {
	err := response.SetWriteDeadline(time.Now().Add(writeDeadline))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// streamPart is how much of a response goes out at a time.
const streamPart = 32 << 10

// streamed writes a response of any length: each part is sent at once, and the client has the write
// deadline to take it.
type streamed struct {
	http.ResponseWriter
	response *http.ResponseController
}

func stream(w http.ResponseWriter) *streamed {
	return &streamed{w, http.NewResponseController(w)}
}

// Write sends b in parts.
func (s *streamed) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		part := b[:min(len(b), streamPart)]
		err = s.part(part)
		n, b = n+len(part), b[len(part):]
	}
	return n, err
}

func (s *streamed) part(b []byte) error {
	if err := allowTime(s.response); err != nil {
		return err
	}
	if _, err := s.ResponseWriter.Write(b); err != nil {
		return err
	}
	if err := s.response.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
