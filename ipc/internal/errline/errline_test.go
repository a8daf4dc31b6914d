package errline_test

import (
	"errors"
	"io"
	"testing"

	"github.com/larderbuild/larder/ipc/internal/errline"
)

func TestJoin(t *testing.T) {
	both := errline.Join(io.ErrUnexpectedEOF, io.EOF)
	if both.Error() != "unexpected EOF: EOF" || !errors.Is(both, io.ErrUnexpectedEOF) || !errors.Is(both, io.EOF) {
		t.Errorf("%q", both)
	}
	if err := errline.Join(nil, io.EOF); err != io.EOF {
		t.Errorf("without an error: %v", err)
	}
	if err := errline.Join(io.EOF, nil); err != io.EOF {
		t.Errorf("without a cause: %v", err)
	}
	if err := errline.Join(nil, nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}
