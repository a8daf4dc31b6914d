//go:build unix

package seenpcs_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/buildabi/seenpcs"
)

// TestPipe has a named pipe where a file should be: it is refused and not opened, which would wait for its other end.
func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	other, err := os.OpenFile(path, os.O_RDWR, 0) // so that nothing waits here
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := seenpcs.Open(path); !errors.Is(err, seenpcs.ErrFormat) {
		t.Errorf("as a coverage file: %v", err)
	}
	if _, err := seenpcs.NewResolver(path); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("as an executable: %v", err)
	}
}
