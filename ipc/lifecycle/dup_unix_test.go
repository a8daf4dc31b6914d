//go:build unix

package lifecycle_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/larderbuild/larder/ipc/lifecycle"
)

// dup keeps the readiness handle open as a started process would.
func dup(t testing.TB, info lifecycle.SpawnInfo) *os.File {
	t.Helper()
	attr := new(os.ProcAttr)
	info.Inherit(attr)
	fd, err := syscall.Dup(int(attr.Files[len(attr.Files)-1].Fd()))
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "readiness")
}
