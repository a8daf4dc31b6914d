package gocacheprog

import "errors"

// tee is a large body that leaves a copy on the shelf while the store reads it, for when
// the store fails half-way, as on a full disk: the go command sends a body once.
// The copy is short-lived and costs no more than its writes to the page cache.
type tee struct {
	b     *body
	copy  *shelved // nil when there can be none, or it is what answers
	err   error    // why there can be none
	ended chan struct{}
}

func newTee(b *body, s *shelf) *tee {
	t := &tee{b: b, ended: make(chan struct{})}
	t.copy, t.err = newShelved(s)
	return t
}

// Read reads from the body and copies. A copy that fails does not keep the store from
// reading on.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.b.Read(p)
	if t.copy != nil && n > 0 {
		if _, err := t.copy.Write(p[:n]); err != nil {
			t.copy.discard()
			t.copy, t.err = nil, err
		}
	}
	if err != nil && !t.atEnd() {
		close(t.ended)
	}
	return n, err
}

// atEnd reports whether the end of the body was read.
func (t *tee) atEnd() bool {
	select {
	case <-t.ended:
		return true
	default:
		return false
	}
}

// drain copies what the store has left unread and returns how the body ended.
func (t *tee) drain() error {
	buf := make([]byte, 32<<10)
	for {
		if _, err := t.Read(buf); err != nil {
			return err
		}
	}
}

// keep makes the copy the answer.
func (t *tee) keep() (string, error) {
	if t.copy == nil {
		return "", errors.Join(errNoCopy, t.err)
	}
	copied := t.copy
	t.copy = nil // it is no more ours to remove
	return copied.commit()
}

var errNoCopy = errors.New("the body could not be kept")

// close removes a copy that is not needed.
func (t *tee) close() {
	if t.copy != nil {
		t.copy.discard()
	}
}
