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
	own, err := syscall.GetCurrentProcess()
	if err != nil {
		t.Fatal(err)
	}
	var h syscall.Handle
	err = syscall.DuplicateHandle(own, attr.Sys.AdditionalInheritedHandles[0], own, &h, 0, false,
		syscall.DUPLICATE_SAME_ACCESS)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(h), "readiness")
}
